/*
 * Structs as the JSON inside a frame. Text with a NUL inside is refused before it is parsed, for a
 * parser that stops there would see less than what was proven or summed.
 */
#include "actor/payload.h"

#include <string.h>

#include "base/assert.h"
#include "base/str.h"

#define PAYLOAD_ALIGN ((size_t)8)

int payload_decode(const struct port *port, const struct fields *table, gp_bytes bytes, void *ret,
                   struct gp_error *err)
{
    struct value *tree = NULL;
    int rc = 0;

    memset(ret, 0, table->size);
    if (bytes.len > 0 && memchr(bytes.ptr, '\0', bytes.len) != NULL) {
        return gp_error_set(err, GP_EPROTO, "text with a zero byte inside");
    }
    if (bytes.len > 0) {
        rc = port_json_parse(port, str_from_bytes(bytes), &tree, err);
    }
    if (rc == 0) {
        rc = fields_decode(table, tree, ret, err);
    }
    value_free(tree);
    return rc;
}

int payload_encode(const struct fields *table, const void *from, struct buf *out)
{
    static const char blanks[PAYLOAD_ALIGN] = "        ";
    const size_t before = buf_len(out);
    int rc;

    rc = from != NULL ? fields_print_json(table, from, out) : buf_append_c(out, "{}");
    if (rc == 0) {
        const size_t len = buf_len(out) - before;

        rc = buf_append(out, blanks, ALIGN_UP(len, PAYLOAD_ALIGN) - len);
    }
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}
