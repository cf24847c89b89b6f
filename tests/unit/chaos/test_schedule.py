"""The faults of a run are a function of its seed, and none is left out for long."""

from itertools import islice

from tests.chaos.schedule import BROKER, DATABASE, SHORT, Durations, Fault, schedule

SERVICES = ["matching-engine", "order-entry-gateway", "order-entry-gateway-2"]
ROUND = 2 * 5 + 2 + 3


def faults(seed: int, durations: Durations, count: int = ROUND) -> list[Fault]:
    return list(islice(schedule(seed, SERVICES, durations), count))


def test_with_the_seed_the_faults_are_the_same_again() -> None:
    assert faults(1, SHORT, 50) == faults(1, SHORT, 50)
    assert faults(1, SHORT) != faults(2, SHORT)


def test_a_round_has_every_fault_of_every_target() -> None:
    for seed in range(20):
        found = {(fault.kind, fault.targets) for fault in faults(seed, Durations())}
        targets = [*SERVICES, BROKER, DATABASE]
        assert found >= {(kind, (target,)) for kind in ("kill", "pause") for target in targets}
        assert found >= {("memory alarm", (BROKER,)), ("disk alarm", (BROKER,))}
        assert ("away", (DATABASE,)) in found
        pairs = [hit for kind, hit in found if kind == "kill two"]
        assert len({target for pair in pairs for target in pair}) == 4


def test_faults_last_as_long_as_is_said() -> None:
    durations = Durations()
    for fault in faults(3, durations):
        least, most = durations.dead
        if fault.kind in ("kill", "kill two"):
            assert least <= fault.seconds <= most
        elif fault.kind == "away":
            assert fault.seconds == 60
        else:
            assert fault.seconds == 20
