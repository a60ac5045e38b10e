/*
 * peer_stream.h: neighbours in other processes, over connections.
 */
#ifndef DATA_PEER_STREAM_H
#define DATA_PEER_STREAM_H

#include <stdbool.h>

struct lane;
struct parcel;
struct peer;
struct stream_link;

void peer_stream_free(struct stream_link *link);

/* Whether a batch is still on its way into the kernel. */
bool peer_stream_is_writing(const struct stream_link *link);

/* Writes what is queued. */
void peer_stream_pump(struct peer *p);

/* The bytes of a parcel that came by a stream are read. */
void peer_stream_release(struct lane *lane, struct parcel *parcel);

#endif
