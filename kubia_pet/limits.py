"""Every bound of the program, and the memory that they add up to. Sizes are bytes, times seconds."""

MIB = 1 << 20

# --- connections from clients ---------------------------------------------------------------------
CONNECTION_RESERVE = 64  # connections over --max-connections, for probes and peers
BACKLOG = 1024  # connections that the kernel holds until they are accepted
NEWCOMERS = 32  # accepted in a row: none makes room before its request can be read
READ_BUFFER_BYTES = 1 << 16  # of a body, that wait in the kernel, and again here: times all connections
MAX_REPLAY_BYTES = 1 << 13  # of a request, and of its answer, that each connection may keep
LINGERING_TIME = 1.0  # in which a refused body is read, so that its client sees the answer

# --- bodies and answers ---------------------------------------------------------------------------
MAX_BUFFERED_BODIES = 32  # bodies of the largest size that may be in memory at the same time, in bytes
OFFLOAD_BYTES = 1 << 16  # rendering more is done in a thread, so that it does not hold the event loop
MAX_OVERVIEW_BYTES = 32 * MIB  # of one answer to GET /
MAX_SENDING_BYTES = 64 * MIB  # that clients may be taking at the same time
SENDING_PATIENCE = 1.0  # for which a client may take its answer, while others want the room

# --- the volume -----------------------------------------------------------------------------------
MAX_NOWAIT_BYTES = 1 << 16  # copying more would itself hold the event loop
MEND_INTERVAL = 1.0  # between two tries of a volume that has a fault

# --- the ledger -----------------------------------------------------------------------------------
MAX_STARTS = 64  # that a volume's history has
MAX_PARENTS = 64  # ids that it had before it was adopted
FSYNCS_KEPT = 256  # times of the newest
MAX_LEDGER_BYTES = 1 << 20  # of a file of the ledger: a history, or MAX_PEERS peers
WITNESS_GRACE = 5.0  # after a start, before peers are asked: an answer "nobody" stays in DNS caches for 30 s
WITNESS_INTERVAL = 60.0  # in which pods that nobody asks ask each other
WITNESS_ROUNDS = 12  # in which peers that have not answered are asked soon again
MAX_TESTIMONY_BYTES = 1 << 12  # of a peer's answer
WITNESS_PAUSE = 1.0  # between two writes of what was seen of peers

# --- peers ----------------------------------------------------------------------------------------
MAX_PEERS = 1000  # a DNS message over TCP holds some 755 targets with their addresses
ADDRESS_CONCURRENCY = 16  # address look-ups, where an answer has no additional section
PEER_CONCURRENCY = 32  # peers asked at the same time: all may come to the event loop's attention at once
MAX_KEEPALIVE = 512  # connections to peers kept in all
KEEPALIVE_EXPIRY = 4.0  # an unused one is kept: less than any server's, the original's 5 s included
PEER_READ_BUFFER_BYTES = 8192  # taken in one go: 8 KiB of one-byte chunks need a millisecond
MAX_PEER_OVERHEAD_BYTES = 1 << 16  # of all that is no value in one answer
STALE_ANSWER_TIME = 60.0  # that the last good DNS answer is used while DNS fails

MAX_OPEN_FILES = 128 + MAX_KEEPALIVE  # connections from clients aside: to peers, the value, the log
RESIDENT_BYTES = 56 * MIB  # of a process that has nothing to do


def memory(*, max_value: int, max_gathered: int, max_connections: int) -> int:
    """Bytes that a process can need when every bound is reached at once: below the container's limit."""
    bodies = (MAX_BUFFERED_BODIES + 2) * max_value  # one is put together, and its pieces are still there
    gathering = 2 * PEER_CONCURRENCY * max_value  # bodies on their way, for text and for JSON
    # Text and JSON may be rendered at the same time, each from what was gathered into pieces, then joined.
    rendering = 2 * (max_gathered + 2 * (MAX_OVERVIEW_BYTES + 6 * max_value))
    # A client's read buffers, all full, and its last request; its last answer is kept while they are empty.
    clients = (max_connections + CONNECTION_RESERVE) * (2 * READ_BUFFER_BYTES + MAX_REPLAY_BYTES)
    peers = 2 * PEER_CONCURRENCY * 2 * READ_BUFFER_BYTES + MAX_KEEPALIVE * 2 * PEER_READ_BUFFER_BYTES
    return RESIDENT_BYTES + bodies + gathering + rendering + MAX_SENDING_BYTES + clients + peers
