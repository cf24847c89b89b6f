"""What the tests and the benchmarks share: private servers, small fakes, builders."""
