/*
 * neighbour_stream.h: neighbours in other processes, over connections.
 */
#ifndef DATA_NEIGHBOUR_STREAM_H
#define DATA_NEIGHBOUR_STREAM_H

#include <stdbool.h>

struct lane;
struct parcel;
struct neighbour;
struct stream_link;

void neighbour_stream_free(struct stream_link *link);

/* Whether a batch is still on its way into the kernel. */
bool neighbour_stream_is_writing(const struct stream_link *link);

/* Writes what is queued. */
void neighbour_stream_pump(struct neighbour *p);

/* The bytes of a parcel that came by a stream are read. */
void neighbour_stream_release(struct lane *lane, struct parcel *parcel);

#endif
