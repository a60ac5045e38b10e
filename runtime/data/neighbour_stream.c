#include "data/neighbour_stream.h"

#include "data/lane.h"

void neighbour_stream_free(struct stream_link *link)
{
    ASSERT(!link);
}

bool neighbour_stream_is_writing(const struct stream_link *link)
{
    (void)link;
    return false;
}

void neighbour_stream_pump(struct neighbour *p)
{
    (void)p;
}

void neighbour_stream_release(struct lane *lane, struct parcel *parcel)
{
    (void)lane;
    (void)parcel;
    UNREACHABLE();
}
