"""The judgement of a volume: each verdict by its evidence, and none without."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubia_pet.model.commit import Commit
from kubia_pet.model.continuity import GONE, STRANGE, UNNUMBERED, UNREADABLE, Found, opened
from kubia_pet.model.ledger import Finding, Kind, Record, Sighting, Start
from kubia_pet.model.ledger_state import LedgerState
from kubia_pet.model.mount import Mount
from kubia_pet.model.verdict import Verdict, intruded, judge, met
from kubia_pet.model.verdict import remembered as all_remembered
from kubia_pet.model.witness import seen_again

ME, PEER = "kubia-0.kubia.default.svc.cluster.local", "kubia-1.kubia.default.svc.cluster.local"
VOLUME, OTHER, STRANGER = "a" * 32, "b" * 32, "c" * 32
AT, BEFORE, AFTER = "2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z"
VALUE, DIGEST = b"v", "d" * 32


def start(number: int, commits: int | None = None, **members: str) -> Start:
    return Start(number, f"{number:016x}", AT, commits=commits, **members)


def record(*starts: Start, **members: object) -> Record:
    return replace(Record(VOLUME, AT, starts or (start(1),), ME), **members)  # type: ignore[arg-type]


def commit(number: int, count: int, digest: str | None = DIGEST) -> Commit:
    return Commit(number, f"{number:016x}", count, digest)


def saw(number: int, count: int, volume: str = VOLUME, seen: str = AT) -> Sighting:
    return Sighting(volume, f"{number:016x}", number, count, seen)


def remembered(known: Record, live: int, peer: str, *seen: Sighting) -> Finding | None:
    """The gravest that such a memory of this pod tells."""
    found = all_remembered(known, ME, live, peer, *seen)
    return min(found, key=lambda each: each.kind.rank, default=None)


def verdict_of(
    known: Record | None, *findings: Finding | None, mount: Mount | None = None, changed: str | None = None
) -> Verdict:
    noted = known and known.found(*filter(None, findings))
    state = LedgerState(noted, durable=True, changed=changed)
    return judge(state, name=ME, mount=mount, witnesses="One peer was asked.", pending=False)


def next_start(before: Record, found: Found, removal: Commit | None = None, keep: int = 64) -> Record:
    return continuity(before, found, removal, keep)[0]


def continuity(
    before: Record, found: Found, removal: Commit | None = None, keep: int = 64
) -> tuple[Record, Commit | None, str | None]:
    def begun(record: Record | None) -> Start:
        return start(record.start.number + 1 if record else 1)

    made = opened(before, begun, found, removal, new=record(), damage=None, keep=keep)
    return made.record, made.commit, made.changed


# Good


def test_a_volume_against_which_nothing_speaks_is_good_and_says_what_it_came_through() -> None:
    starts = (
        start(1, 0, node="a", boot_id="one"),
        start(2, 0, node="b", boot_id="two"),
        start(3, node="b", boot_id="three"),
    )
    verdict = verdict_of(record(*starts))
    assert verdict.verdict is Kind.GOOD
    assert verdict.survived == ("restart", "other-node", "reboot")
    assert verdict.remedy is None
    assert verdict.evidence == ("Starts 1 to 3 of this volume, without a gap.", "One peer was asked.")


def test_another_machine_is_no_reboot_and_the_first_start_no_restart() -> None:
    assert verdict_of(record()).survived == ()
    moved = record(start(1, node="a", boot_id="one"), start(2, node="b", boot_id="two"))
    assert moved.survived() == ("restart", "other-node")


def test_nothing_is_known_before_peers_were_asked_and_without_a_ledger() -> None:
    for state, pending in ((LedgerState(record(), durable=True), True), (LedgerState(fault="Full."), False)):
        assert judge(state, name=ME, mount=None, witnesses="", pending=pending).verdict is Kind.UNKNOWN


# Swapped


def test_a_ledger_that_names_another_pod_is_that_of_a_swapped_volume() -> None:
    verdict = verdict_of(record(name=PEER))
    assert verdict.verdict is Kind.SWAPPED
    assert verdict.is_foreign
    assert PEER in verdict.evidence[0]
    assert "kubia-pet adopt" in str(verdict.remedy)


def test_without_a_full_name_nothing_is_swapped() -> None:
    state = LedgerState(record(name=PEER), durable=True)
    assert judge(state, name=None, mount=None, witnesses="", pending=False).verdict is Kind.GOOD
    assert verdict_of(record(name=None)).verdict is Kind.GOOD


# Lost


def test_a_new_volume_under_a_name_of_which_peers_remember_another_is_a_lost_one() -> None:
    finding = remembered(record(), 0, PEER, saw(3, 5, OTHER))
    assert finding is not None
    assert finding.kind is Kind.LOST
    assert OTHER in finding.evidence
    assert PEER in finding.evidence


def test_what_peers_saw_before_an_adoption_is_settled_by_it() -> None:
    adopted = record().adopted_as(OTHER, name=ME, at=AT, accepted=None, keep=64)
    strange = saw(9, 9, STRANGER, seen=AFTER)
    assert remembered(adopted, 0, PEER, strange) is None  # a clock that is ahead, as nobody had it meanwhile
    later = adopted.started(replace(start(2), at=AFTER), keep=64)
    assert remembered(later, 0, PEER, saw(9, 9, STRANGER, seen=BEFORE)) is None
    assert remembered(later, 0, PEER, saw(9, 9, VOLUME, seen=AFTER)) is None  # an id that it had
    assert remembered(later, 0, PEER, strange) is not None
    assert remembered(later, 0, PEER, strange, saw(1, 0, OTHER), saw(2, 0, OTHER)) is None


def test_a_clock_that_is_ahead_when_a_volume_is_adopted_settles_nothing_of_its_new_id() -> None:
    adopted = record().adopted_as(OTHER, name=ME, at=AFTER, accepted=None, keep=64)
    assert remembered(adopted, 0, PEER, saw(2, 0, OTHER, seen=BEFORE)) is not None


class Witness:
    """A peer that sees volumes under this pod's name; each asks it what it remembers, or none does."""

    def __init__(self, *, asked: bool) -> None:
        self.memory: tuple[Sighting, ...] = ()
        self._asked, self._told = asked, False

    def says(self, known: Record) -> list[Kind]:
        """What it says to a start of a volume that it has just seen."""
        mine = Sighting(known.volume, known.start.id, known.start.number, 0, AT)
        self.memory = seen_again(self.memory, mine, told=self._told)
        self._told = self._asked
        return [each.kind for each in all_remembered(known, ME, 0, PEER, *self.memory)]


def lives(known: Record, number: int) -> Record:
    return known.started(replace(start(number), id=known.volume[:15] + f"{number:x}"), keep=64)


@pytest.mark.parametrize("asked", [True, False])
def test_a_volume_that_is_given_back_is_good_again_after_any_number_of_starts_on_anothers(
    *, asked: bool
) -> None:
    peer = Witness(asked=asked)
    own, others, new = record(), record(name=PEER), record()
    others, new = replace(others, volume=OTHER), replace(new, volume=STRANGER)
    for _ in range(2):
        own = lives(own, own.start.number + 1)
        assert peer.says(own) == []
    for _ in range(3):
        others = lives(others, others.start.number + 1)
        assert peer.says(others) == []  # it is swapped, and what is remembered is not of its name
    assert verdict_of(others).verdict is Kind.SWAPPED
    for _ in range(3):
        own = lives(own, own.start.number + 1)
        assert peer.says(own) == []
    for _ in range(3):
        new = lives(new, new.start.number + 1)
        assert Kind.LOST in peer.says(new)
    for _ in range(3):
        own = lives(own, own.start.number + 1)
        assert peer.says(own) == []


# Rolled back


def test_a_start_that_a_witness_saw_and_the_history_lacks_is_evidence_of_a_rollback() -> None:
    for seen in (saw(3, 0), replace(saw(2, 0), start="f" * 16)):
        finding = remembered(record(start(1, 0), start(2)), 0, PEER, seen)
        assert finding is not None
        assert finding.kind is Kind.ROLLED_BACK


def test_so_is_a_higher_count_of_a_start_that_it_has() -> None:
    known = record(start(1, 4), start(2))
    assert remembered(known, 2, PEER, saw(1, 4)) is None
    assert remembered(known, 2, PEER, saw(1, 5)) is not None
    assert remembered(known, 2, PEER, saw(2, 2)) is None
    assert remembered(known, 2, PEER, saw(2, 3)) is not None


def test_a_start_older_than_the_history_reaches_or_of_unknown_count_is_no_evidence() -> None:
    known = record(start(5, None), start(6))
    assert remembered(known, 0, PEER, saw(4, 9)) is None
    assert remembered(known, 0, PEER, saw(5, 9)) is None


def test_a_damaged_ledger_proves_nothing() -> None:
    damaged = record(findings=(Finding(Kind.UNKNOWN, "It is damaged."),))
    assert remembered(damaged, 0, PEER, saw(3, 5, OTHER)) is None
    assert verdict_of(damaged).verdict is Kind.UNKNOWN
    assert "adopt" in str(verdict_of(damaged).remedy)


def test_a_ledger_that_knows_of_later_commits_than_the_value_is_evidence_itself() -> None:
    known, last, changed = continuity(record(start(1, 2), start(2, 7)), Found(DIGEST, commit(2, 3)))
    assert changed is None
    assert last == commit(2, 3)
    assert verdict_of(known).verdict is Kind.ROLLED_BACK
    assert verdict_of(next_start(record(start(1, 2), start(2, 7)), Found(DIGEST, commit(1, 2)))).verdict == (
        "rolled-back"
    )


# Shared and cloned


def test_a_start_in_the_ledger_on_the_disk_that_is_not_this_ones_is_another_live_one() -> None:
    mine = record(start(1), start(2))
    theirs = record(start(1), start(2), start(3, node="other"))
    finding = intruded(mine, theirs)
    assert finding is not None
    assert finding.kind is Kind.SHARED
    assert "other" in finding.evidence
    assert verdict_of(mine, finding).is_foreign
    assert intruded(mine, mine) is None
    assert intruded(theirs, mine) is None  # to them it is no news


def test_a_live_peer_with_the_same_volume_id_has_a_clone() -> None:
    finding = met(record(), ME, PEER, saw(1, 0))
    assert finding is not None
    assert finding.kind is Kind.CLONED
    assert met(record(), ME, PEER, saw(1, 0, OTHER)) is None
    assert met(record(), ME, ME, saw(1, 0)) is None


def test_of_several_findings_the_gravest_is_the_verdict_and_all_are_evidence() -> None:
    verdict = verdict_of(
        record(name=PEER), met(record(), ME, PEER, saw(1, 0)), remembered(record(), 0, PEER, saw(9, 0))
    )
    assert verdict.verdict is Kind.CLONED
    assert len(verdict.evidence) == 3
    assert verdict.is_foreign  # the copy is still another pod's


# Not a volume


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("container", "not-a-volume"), ("memory", "not-a-volume"), ("volume", "good"), ("unknown", "good")],
)
def test_the_containers_own_disk_and_memory_are_no_volume_where_that_is_judged(
    kind: str, verdict: str
) -> None:
    assert (
        verdict_of(record(), mount=Mount(kind, "overlay", "overlay", "/", read_only=False)).verdict == verdict
    )
    assert verdict_of(record()).verdict is Kind.GOOD


# Changed outside


def test_a_value_without_a_number_was_changed_outside_and_is_no_rollback() -> None:
    before = record(start(1, 0), start(2))
    known, last, changed = continuity(before, Found(DIGEST))
    assert (last, changed) == (None, UNNUMBERED)
    assert verdict_of(known, changed=changed).verdict is Kind.CHANGED_OUTSIDE
    assert remembered(known, 0, PEER, saw(2, 9)) is None  # how many it had is not known any more


def test_a_value_that_is_gone_without_a_delete_too() -> None:
    assert continuity(record(start(1, 3)), Found(None))[2] == GONE
    assert continuity(record(start(1, 3)), Found(None), commit(1, 3, None))[2] is None
    assert continuity(record(start(1, 4)), Found(None), commit(1, 3, None))[2] == GONE
    assert continuity(record(start(1)), Found(None))[2] is None


def test_so_are_a_number_of_a_start_that_the_history_lacks_and_something_that_is_no_value() -> None:
    strange = Commit(1, "f" * 16, 1, DIGEST)
    assert continuity(record(start(1), start(2)), Found(DIGEST, strange))[1:] == (None, STRANGE)
    assert continuity(record(), Found(None, readable=False))[1:] == (None, UNREADABLE)


def test_a_value_of_a_start_older_than_the_history_is_fine() -> None:
    known, last, changed = continuity(record(start(70), start(71)), Found(DIGEST, commit(3, 2)))
    assert (last, changed) == (commit(3, 2), None)
    assert [each.commits for each in known.starts] == [0, 0, None]


def test_a_value_accepted_without_a_number_stays_so_until_it_is_another() -> None:
    accepted = record(accepted=DIGEST)
    assert continuity(accepted, Found(DIGEST))[2] is None
    assert continuity(accepted, Found("e" * 32))[2] == UNNUMBERED


def test_a_start_that_could_not_write_its_ledger_is_known_by_the_value_that_it_wrote() -> None:
    known, last, changed = continuity(record(start(1, 0)), Found(DIGEST, commit(2, 5)))
    assert (last, changed) == (commit(2, 5), None)
    assert [(each.number, each.commits) for each in known.starts] == [(1, 0), (2, 5), (3, None)]
    assert verdict_of(known).verdict is Kind.GOOD


def test_a_crash_between_the_number_of_a_removal_and_the_removal_is_no_change() -> None:
    known, last, changed = continuity(record(start(1)), Found(DIGEST, commit(1, 3)), commit(1, 4, None))
    assert (last, changed) == (commit(1, 3), None)
    assert known.starts[0].commits == 3


# No false alarm


class Machine:
    """A volume, its pod and a peer, as a life of starts, commits and crashes goes on."""

    def __init__(self) -> None:
        self.known = record()
        self.value: Commit | None = None
        self.removal: Commit | None = None
        self.count = 0
        self.memory: Sighting | None = None

    def commit(self, *, removes: bool, crashes: bool) -> None:
        self.count += 1
        number = Commit(self.known.start.number, self.known.start.id, self.count, None if removes else DIGEST)
        if removes:
            self.removal = number
        if not crashes:
            self.value = None if removes else number

    def seen(self) -> None:
        self.memory = saw(self.known.start.number, self.durable())

    def restart(self, keep: int, *, graceful: bool) -> str | None:
        before = self.known
        if graceful:
            before = before.counted(before.start.id, self.durable())
        found = Found(DIGEST if self.value else None, self.value)
        self.known, _, changed = continuity(before, found, self.removal, keep)
        self.count = 0
        return changed

    def durable(self) -> int:
        last = self.value or self.removal
        return last.count if last and last.start == self.known.start.id else 0


FLAG, NEVER = st.booleans(), st.sampled_from([False])
STEPS = st.one_of(
    st.tuples(st.just("commit"), FLAG, FLAG),
    st.tuples(st.just("seen"), NEVER, NEVER),
    st.tuples(st.just("restart"), FLAG, NEVER),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=60), st.integers(1, 8))
def test_no_life_of_starts_commits_crashes_and_witnesses_raises_an_alarm(
    steps: list[tuple[str, bool, bool]], keep: int
) -> None:
    machine = Machine()
    for what, flag, crashes in steps:
        match what:
            case "commit":
                machine.commit(removes=flag, crashes=crashes)
                if crashes:
                    assert machine.restart(keep, graceful=False) is None
            case "seen":
                machine.seen()
            case _:
                assert machine.restart(keep, graceful=flag) is None
        assert verdict_of(machine.known).verdict is Kind.GOOD
        if machine.memory is not None:
            assert remembered(machine.known, machine.durable(), PEER, machine.memory) is None
