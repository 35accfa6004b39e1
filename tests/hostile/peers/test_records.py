"""The rules for names, ports and order, fed with any records that DNS can hold."""

from hypothesis import given
from hypothesis import strategies as st

from kubia_pet.discovery.records import Record, peers_in
from kubia_pet.limits import MAX_PEERS
from tests.support.dns_server import NAME

HOSTS = st.from_regex(r"(kubia|odd|\\010x|10-0-0-1)(-[0-9]{1,12})?", fullmatch=True)
TARGETS = HOSTS.map(lambda host: f"{host}.{NAME}") | HOSTS | st.sampled_from([NAME, NAME.upper(), "."])
ADDRESSES = st.ip_addresses().map(str)
RECORDS = st.builds(Record, TARGETS, st.integers(0, 65535), st.lists(ADDRESSES, max_size=3).map(tuple))


@given(st.lists(RECORDS, max_size=12), st.integers(1, 65535), st.sampled_from(["kubia-0", "kubia-7", "odd"]))
def test_any_records_give_each_peer_once_in_order_and_this_pod_among_them(
    records: list[Record], port: int, pod: str
) -> None:
    peers, _ = peers_in(records, service=NAME, pod=pod, port=port)
    names = [peer.name for peer in peers]
    assert len(set(names)) == len(names) <= MAX_PEERS
    assert [peer.name for peer in peers if peer.is_self] == [f"{pod}.{NAME}"]
    ordinals = [peer.ordinal for peer in peers if peer.ordinal is not None]
    assert ordinals == sorted(ordinals)
    assert all(peer.ordinal is None for peer in peers[len(ordinals) :])


@given(st.lists(RECORDS, max_size=12), st.integers(1, 65535))
def test_a_peer_is_asked_only_where_its_record_or_this_pods_own_port_says(
    records: list[Record], port: int
) -> None:
    peers, _ = peers_in(records, service=NAME, pod="kubia-0", port=port)
    by_name = {record.target.lower(): record for record in records}
    own = by_name.get(f"kubia-0.{NAME}")
    for peer in peers:
        if peer.is_self:
            assert peer.endpoints == ()
            continue
        record = by_name[peer.name]
        assert {address for address, _ in peer.endpoints} <= set(record.addresses)
        assert {asked for _, asked in peer.endpoints} <= {record.port, port} - {0}
        assert len(set(peer.endpoints)) == len(peer.endpoints)
        if own is not None and own.port == port:
            assert {asked for _, asked in peer.endpoints} <= {record.port}
        elif own is not None:
            assert {asked for _, asked in peer.endpoints} <= {port}
