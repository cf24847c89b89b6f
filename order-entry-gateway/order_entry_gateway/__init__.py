"""The order-entry gateway: takes requests, sequences the valid ones, tells what the engine did."""
