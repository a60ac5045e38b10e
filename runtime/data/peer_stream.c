#include "data/peer_stream.h"

#include "data/lane.h"

void peer_stream_free(struct stream_link *link)
{
    ASSERT(!link);
}

bool peer_stream_is_writing(const struct stream_link *link)
{
    (void)link;
    return false;
}

void peer_stream_pump(struct peer *p)
{
    (void)p;
}

void peer_stream_release(struct lane *lane, struct parcel *parcel)
{
    (void)lane;
    (void)parcel;
    UNREACHABLE();
}
