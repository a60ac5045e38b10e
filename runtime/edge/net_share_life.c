/*
 * net_share_life.c: how a stream comes by shared memory and loses it (net_share.c).
 *
 * Happy path: one side makes memory and sends its descriptor with a word; the other collects it
 * when it reads the word, maps it, and each goes over when it says so. Failures: what the system or
 * the peer refuses leaves the stream on its socket. Descriptors that nobody asked for are closed,
 * save one for each stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/net_share.h"

/* Takes the memory over, on failure too. */
static int begin_take(struct edge_stream *s, struct share_memory *memory)
{
    struct edge_share *sh = calloc(1, sizeof(*sh));

    if (sh == NULL) {
        share_unmap(memory);
        return GP_ENOMEM;
    }
    list_node_init(&sh->node);
    list_init(&sh->queue);
    sh->stream = s;
    sh->memory = *memory;
    s->share = sh;
    return 0;
}

void edge_share_free(struct edge_share *sh)
{
    share_unmap(&sh->memory);
    free(sh);
}

void edge_share_close(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    struct list_node *node;

    if (s->passed_fd >= 0) {
        (void)close(s->passed_fd);
        s->passed_fd = -1;
    }
    if (sh == NULL) {
        return;
    }
    s->share = NULL; /* callbacks come later */
    sh->stream = NULL;
    while ((node = list_pop_front(&sh->queue)) != NULL) {
        edge_write_done(LIST_ENTRY(node, struct edge_write, done.node), GP_ECANCELED);
    }
    list_remove(&sh->node);
    if (sh->loans.count == 0) {
        edge_share_free(sh);
    }
}

static int send_fd(int to, int fd, gp_bytes word)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } space;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)word.ptr, .iov_len = word.len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *cmsg;
    ssize_t n;

    memset(&space, 0, sizeof(space));
    msg.msg_control = space.bytes;
    msg.msg_controllen = sizeof(space.bytes);
    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    do {
        n = sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return error_from_errno(errno);
    }
    return (size_t)n == word.len ? 0 : GP_EIO; /* few bytes go whole or not at all */
}

int edge_share_offer(struct stream *stream, size_t ring_bytes, gp_bytes word)
{
    struct edge_stream *s = edge_stream_of(stream);
    struct share_memory memory;
    uv_os_fd_t socket;
    int fd;
    int rc;

    ASSERT(word.len > 0);
    if (!s->is_unix) {
        return GP_EUNSUPPORTED;
    }
    if (s->state != STREAM_OPEN || s->share != NULL || uv_fileno(&s->uv.handle, &socket) < 0) {
        return GP_ESTATE;
    }
    if (uv_stream_get_write_queue_size(&s->uv.stream) > 0) {
        return GP_EAGAIN;
    }
    rc = share_make(ring_bytes, &memory, &fd);
    if (rc < 0) {
        return rc;
    }
    rc = begin_take(s, &memory);
    if (rc == 0) {
        rc = send_fd(socket, fd, word);
        if (rc < 0) {
            edge_share_close(s);
        }
    }
    (void)close(fd);
    return rc;
}

int edge_share_take(struct stream *stream, size_t bytes_max, size_t *ret_bytes)
{
    struct edge_stream *s = edge_stream_of(stream);
    const int fd = s->passed_fd;
    struct share_memory memory;
    int rc;

    if (s->state != STREAM_OPEN || s->share != NULL) {
        return GP_ESTATE;
    }
    if (fd < 0) {
        return GP_ENOENT;
    }
    s->passed_fd = -1;
    rc = share_map(fd, bytes_max, &memory);
    (void)close(fd);
    if (rc == 0) {
        rc = begin_take(s, &memory);
    }
    if (rc == 0) {
        *ret_bytes = share_len((size_t)memory.in.size);
    }
    return rc;
}

void edge_share_begin_writes(struct stream *stream)
{
    ASSERT(edge_stream_of(stream)->share != NULL);
    edge_stream_of(stream)->share->writes = true;
}

void edge_share_begin_reads(struct stream *stream)
{
    struct edge_share *sh = edge_stream_of(stream)->share;

    ASSERT(sh != NULL);
    sh->reads = true;
    edge_share_heat(sh); /* what was written before we listened for calls */
}

static void on_carrier_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The next descriptor that came, or -1. uv gives it as a handle, of which it is taken out. */
static int next_passed(struct edge_stream *s)
{
    uv_pipe_t *carrier = malloc(sizeof(*carrier));
    uv_os_fd_t fd;
    int taken = -1;

    if (carrier == NULL) {
        return -1; /* they are closed with the stream */
    }
    (void)uv_pipe_init(&edge_loop_of(s->base.loop)->uv, carrier, 0); /* cannot fail */
    if (uv_accept(&s->uv.stream, (uv_stream_t *)carrier) == 0 &&
        uv_fileno((uv_handle_t *)carrier, &fd) == 0) {
        taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    uv_close((uv_handle_t *)carrier, on_carrier_closed);
    return taken;
}

void edge_share_collect(struct edge_stream *s)
{
    int count = uv_pipe_pending_count(&s->uv.pipe);

    for (; count > 0; count--) {
        const int fd = next_passed(s);

        if (s->passed_fd < 0) {
            s->passed_fd = fd;
        } else if (fd >= 0) {
            (void)close(fd);
        }
    }
}
