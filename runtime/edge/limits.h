/*
 * What this room holds at most. Nothing here grows with what peers send.
 */
#ifndef EDGE_LIMITS_H
#define EDGE_LIMITS_H

#define EDGE_WRITE_BUFS_MAX      8      /* slices of one stream_write() */
#define EDGE_WRITES_KEPT_MAX     256    /* write requests a loop keeps for the next writes */
#define EDGE_LISTEN_BACKLOG      511    /* connections the kernel queues */
#define EDGE_ACCEPTS_PER_TURN    16     /* of one listener: then others have their turn */
#define EDGE_ACCEPT_PAUSE_MS     100    /* when descriptors have run out */
#define EDGE_STREAM_LINGER_MS    1000   /* of stream_end(), unless the world has its own */
#define EDGE_UNIX_SEND_BYTES     524288 /* asked of the kernel, which takes it twice */
#define EDGE_DISCARD_SIZE_BYTES  4096   /* read at once from a stream that is ending */
#define EDGE_SHARE_PIECE_BYTES   65536  /* read of one stream in a look: what a turn can use */
#define EDGE_SHARE_QUIET_LOOKS   64     /* in vain, until it is left to the peer to call */
#define EDGE_SHARE_WAIT_NS       30000  /* for the reader of much, rather than to be woken by him */
#define EDGE_SHARE_LOOKS         16     /* meanwhile, between two readings of the clock */
#define EDGE_DIAL_ADDRESSES_MAX  8      /* addresses of one name that are tried */
#define EDGE_TURNS_PER_POLL      8      /* of a busy runner */
#define EDGE_LOOKS_AFTER_READ    16     /* of a runner with nothing to do: some 5 us */
#define EDGE_LOOKS_VAIN_MAX      4      /* times in a row that nothing came: then it does not */
#define EDGE_LOOKS_RETRY         16     /* ... but every so many times */
#define EDGE_OUTPUT_PIECE_BYTES  8192   /* of a child's output */
#define EDGE_EXIT_LINGER_MS      1000   /* wait for the last output of a dead child */
#define EDGE_CHILD_ENV_MAX       16     /* entries of proc_spec.env */
#define EDGE_TEXT_VALUES_MAX     262144 /* in one JSON or YAML text */
#define EDGE_YAML_SIZE_MAX_BYTES (1 << 20)
#define EDGE_SECRET_SIZE_MIN     32  /* bytes in the secret file */
#define EDGE_SECRET_SIZE_MAX     256 /* what a connection keeps */
#define EDGE_TREE_DEPTH_MAX      64  /* folders below the one that is removed */

/* Of a busy runner that finds nothing. */
#define EDGE_YIELD_NS      30000    /* between two yields */
#define EDGE_YIELD_LONG_NS 500000   /* one that lasted longer was for no reader ... */
#define EDGE_YIELD_REST_NS 20000000 /* ... and there is none for so long */

/* Of spread.h. */
#define EDGE_SPREAD_LOOK_NS     INT64_C(250000)     /* from look to look */
#define EDGE_SPREAD_LOOK_MAX_NS INT64_C(2500000)    /* a longer time says nothing */
#define EDGE_SPREAD_LOST_MIN    8                   /* times it lost its CPU since: it shares it */
#define EDGE_SPREAD_AWAY_NS     INT64_C(20000000)   /* from that CPU */
#define EDGE_SPREAD_REST_MIN_NS INT64_C(5000000)    /* from leaving to leaving */
#define EDGE_SPREAD_REST_MAX_NS INT64_C(1280000000) /* the same where leaving never helps */
#define EDGE_SPREAD_CALM        4                   /* rests without leaving: it has helped */

#endif
