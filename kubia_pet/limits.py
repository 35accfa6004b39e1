"""The program's bounds, and the memory that they add up to. Sizes are bytes, times seconds.

Those of one module on which no memory depends, and those of `local`, stand there.
"""

MIB = 1 << 20

# --- connections from clients ---------------------------------------------------------------------
CONNECTION_RESERVE = 64  # connections over --max-connections, for probes and peers
BACKLOG = 1024  # connections that the kernel holds until they are accepted
NEWCOMERS = 32  # accepted in a row: none makes room before its request, or its body, can be read
READ_BUFFER_BYTES = 1 << 16  # of a body, that wait in the kernel, and again here: times all connections
MAX_REPLAY_BYTES = 1 << 13  # of a request, and of its answer, that may be given again
MAX_REPLAYS_BYTES = 3 * MIB  # of all that read and their answers, kept for all connections
REPLAY_OVERHEAD_BYTES = 3 << 10  # of each, beside its own bytes, its answer's, and the value's
LINGERING_TIME = 1.0  # in which a refused body is read, so that its client sees the answer

# --- bodies and answers ---------------------------------------------------------------------------
MAX_BUFFERED_BODIES = 32  # bodies of the largest size that may be in memory at the same time, in bytes
SMALL_BODY_BYTES = 1 << 12  # of each body, larger ones included, that need no room among those
BODY_PATIENCE = 1.0  # for which a larger body may arrive, while others want its room
OFFLOAD_BYTES = 1 << 16  # rendering more is done in a thread, so that it does not hold the event loop
MAX_OVERVIEW_BYTES = 32 * MIB  # of one answer to GET /
MAX_SENDING_BYTES = 64 * MIB  # that clients may be taking at the same time
SENDING_PATIENCE = 1.0  # for which a client may take its answer, while others want the room

# --- the token ------------------------------------------------------------------------------------
MAX_TOKEN_BYTES = 1 << 12  # of the file that holds it
TOKEN_INTERVAL = 1.0  # between two looks at that file

# --- those who watch ------------------------------------------------------------------------------
WATCH_INTERVAL = 0.5  # between two looks at the cluster, for all of them
WOKEN_AT_ONCE = 16  # of them in one turn of the event loop
PING_INTERVAL = 15.0  # after which a watcher hears something, so that nobody on the way cuts a quiet stream
PARTING_TIME = 0.2  # in which a watcher may take its last event
MAX_EVENT_BYTES = 1 << 15  # of one event, of which one waits for each watcher
WATCHER_SEND_BYTES = 1 << 14  # that the kernel holds for one; Linux takes twice as many
PAGE_PREVIEW = 1000  # characters of a value that the page shows where no script runs
MAX_LEDGER_BYTES = 1 << 19  # of a peer's ledger, which names all that it remembers
LEDGER_CONCURRENCY = 4  # ledgers on their way at the same time
LEDGER_PATIENCE = 0.2  # that watchers wait for one
LEDGER_PAUSE = 5.0  # until one that could not be had is asked for again

# --- the volume -----------------------------------------------------------------------------------
MAX_STORED_BYTES = 16 * MIB  # of a value that is served, where --max-value is less: it may have been more
MAX_NOWAIT_BYTES = 1 << 16  # copying more would itself hold the event loop
LOCK_WAIT = 10.0  # for another process to leave it, where nothing else is set and this is no cluster
LOCK_INTERVAL = 0.2  # between two tries of a volume that another process has
MEND_INTERVAL = 1.0  # between two tries of a volume that has a fault
CHECK_PATIENCE = 0.5  # of whoever asks for the metrics, while the volume is asked how it is
TRIAL_INTERVAL = 10.0  # after the last write, until the volume is tried by whoever asks whether it works
TRIAL_BYTES = 4096  # of that write: a block, which any small value needs

# --- the ledger -----------------------------------------------------------------------------------
MAX_STARTS = 64  # that a volume's history has
MAX_PARENTS = 64  # ids that it had before it was adopted
FSYNCS_KEPT = 256  # times of the newest
MAX_LEDGER_FILE_BYTES = 1 << 20  # a history, or all that is remembered of MAX_PEERS peers
WITNESS_GRACE = 5.0  # after a start, before peers are asked: an answer "nobody" stays in DNS caches for 30 s
WITNESS_INTERVAL = 60.0  # in which pods that nobody asks ask each other
WITNESS_ROUNDS = 12  # in so short intervals: meanwhile peers start, too, and are found
MAX_TESTIMONY_BYTES = 1 << 12  # of a peer's answer
WITNESS_PAUSE = 1.0  # between two writes of what was seen of peers

# --- peers ----------------------------------------------------------------------------------------
MAX_PEERS = 1000  # a DNS message over TCP holds some 755 targets with their addresses
ADDRESS_CONCURRENCY = 4  # address look-ups: more threads would keep the event loop from its turn
QUIET_TIME = 0.03  # without a peer's answer: then those who came meanwhile ask anew, and wait for nobody
RETRY_INTERVAL = 0.5  # between two tries of a peer that did not answer in time
MAX_RETRIES = 16  # such tries under way: half of PEER_CONCURRENCY, so that they hold nobody up
MAX_RETRIES_OF_A_PEER = 2
SUSPICION_TIME = 30.0  # for which such peers are tried while nobody asks
PEER_CONCURRENCY = 32  # peers asked at the same time: all may come to the event loop's attention at once
MAX_KEEPALIVE = 512  # connections to peers kept in all
KEEPALIVE_EXPIRY = 4.0  # an unused one is kept: less than any server's, the original's 5 s included
MAX_REPEATED_BYTES = 1 << 11  # of a peer's answer that is kept, as its next one is mostly the same
PEER_READ_BUFFER_BYTES = 8192  # taken in one go: 8 KiB of one-byte chunks need a millisecond
MAX_PEER_OVERHEAD_BYTES = 1 << 16  # of all that is no value in one answer
NOBODY_GRACE = 35.0  # for which DNS may know nobody: a cache of 30 s, and what DNS needs to learn of a pod
NOBODY_INTERVAL = 10.0  # between two looks at whether it does
TURN_TIME = 0.25  # for which an answer is used while the next way to ask is asked, so that nobody waits
DOUBT_INTERVAL = 1.0  # between two look-ups for the sake of a peer that is not where it should be
STALE_ANSWER_TIME = 60.0  # that the last good DNS answer is used while DNS fails

# --- faults that are set on purpose ---------------------------------------------------------------
DEFAULT_FAULT_TIME = 30.0
MAX_FAULT_TIME = 600.0
SLOWNESS = 3  # times its time-out that a slow disk takes, or a slow answer to a peer
MAX_UNANSWERED_TIME = 30.0  # of a peer's request: then its connection is cut
FAULT_POLL_INTERVAL = 0.05  # in which a call that waits sees that its fault has ended

# --- the log --------------------------------------------------------------------------------------
MAX_LOG_LINES = 500  # that wait to be written: further ones are dropped
MAX_LOG_LINE = 1 << 12  # characters of a line, or of its message and traceback in JSON
MAX_CHANGES_LOGGED = 10  # lines a second that say who changed the value
LOG_FLUSH_TIME = 1.0  # for which the end waits for the last lines to be written

# --- check and probe: programs of their own, outside of what memory() is about ----------------------
ASK_TIMEOUT = 5.0  # for one answer: a gathering takes 3 s
ASK_CONNECT_TIMEOUT = 2.0
CHECK_TIMEOUT = 45.0  # for one check
DNS_TIMEOUT = 2.0  # for a name server to answer one question
STEADY_ROUNDS = 12  # questions to each name server, to see whether its answers come and go
STEADY_PAUSE = 0.15  # between two of them
CHEAPEST_FSYNC = 20e-6  # a disk with a protected cache needs more, a call that does nothing less
WITNESS_PATIENCE = 8.0  # a pod asks its peers what they remember of it 5 s after its start
VIEW_PATIENCE = 6.0  # in which the lists of all pods must become the same: DNS has its delays
LOOK_INTERVAL = 1.0  # seconds between two questions where a pod is that has moved
ASK_CONCURRENCY = 16  # pods asked at the same time
MAX_ANSWER_BYTES = MAX_OVERVIEW_BYTES + 8 * MIB  # taken of one answer
DISRUPTION_TIMEOUT = 150.0  # for a pod to be back: an image may be pulled, a volume moved
WATCH_TIMEOUT = 1800.0  # for a person to do what is said
KUBECTL_TIMEOUT = 200.0  # for one command, waits included
KUBECTL_START_TIMEOUT = 15.0
LOGIN_TIMEOUT = 120.0  # for a person to do what kubectl's login asks for
MAX_REMEMBERED = 10_000  # acknowledged numbers of each pod that can still turn out to be lost
LATE_WRITE_TIME = 3.0  # in which a write whose answer never came takes effect, if it does: a volume's time
RESTORE_TIMEOUT = 30.0  # for a pod to take its old value back
PROBE_PAUSE = 0.05  # between two writes, or two reads, of one pod; more with more than PROBE_FULL_SPEED pods
PROBE_LIST_PAUSE = 0.25  # between two questions to a pod for everybody's value
PROBE_FULL_SPEED = 10
MAX_KEPT_BYTES = 64 * MIB  # of values that are remembered until they are put back

# --- the process ----------------------------------------------------------------------------------
DRAIN_TIME = 5.0  # after SIGTERM, in which Services forget a pod, unless --drain says another time
UNASKED_TIME = 2.0  # of it without a client: then they have
MAX_OPEN_FILES = 128 + MAX_KEEPALIVE  # connections from clients aside: to peers, the value, the log
RESIDENT_BYTES = 56 * MIB  # of a process that has nothing to do


def memory(*, max_value: int, max_gathered: int, max_connections: int, max_watchers: int) -> int:
    """Bytes that a process can need when every bound is reached at once: below the container's limit."""
    bodies = (MAX_BUFFERED_BODIES + 2) * max_value  # one is put together, and its pieces are still there
    gathering = PEER_CONCURRENCY * max_value + max_gathered  # bodies on their way, and those that came
    # Text and JSON may be rendered at the same time, each from what was gathered into pieces, then joined.
    # The last value may be begun where there is hardly room for more; a pod's own comes first, of any size.
    stored = max(max_value, MAX_STORED_BYTES)
    rendering = 2 * (max_gathered + 2 * max(MAX_OVERVIEW_BYTES + 6 * max_value, 6 * stored))
    # A client's read buffers, all full, and its last request; its last answer is kept while they are empty.
    client = 2 * READ_BUFFER_BYTES + MAX_REPLAY_BYTES + SMALL_BODY_BYTES
    clients = (max_connections + CONNECTION_RESERVE) * client
    watcher = 2 * READ_BUFFER_BYTES + MAX_EVENT_BYTES + 2 * WATCHER_SEND_BYTES
    watching = max_watchers * watcher + LEDGER_CONCURRENCY * MAX_LEDGER_BYTES
    kept = 2 * PEER_READ_BUFFER_BYTES + 4 * MAX_REPEATED_BYTES  # of a connection; the latter also as objects
    peers = PEER_CONCURRENCY * 2 * READ_BUFFER_BYTES + MAX_KEEPALIVE * kept
    own = 2 * stored + max_value  # seen last; being read; and forgotten by a fault
    ledger = 4 * MAX_LEDGER_FILE_BYTES + PEER_CONCURRENCY * MAX_TESTIMONY_BYTES  # as objects and as JSON
    log = MAX_LOG_LINES * (4 * MAX_LOG_LINE + 1024)  # four bytes a character, and the record
    sending = MAX_SENDING_BYTES + watching
    held = own + ledger + log + MAX_REPLAYS_BYTES
    return RESIDENT_BYTES + held + bodies + gathering + rendering + sending + clients + peers
