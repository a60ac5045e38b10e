/*
 * The table of all message types, in the order of their numbers. Nothing here can fail.
 */
#include "wire/messages.h"

#include "base/assert.h"

#define MESSAGE_ROW(NAME, number, name_, pattern_, roles, payload_, reply_)                        \
    {                                                                                              \
        .type = (number), .name = (name_), .pattern = MESSAGE_##pattern_, .from = ROLES_##roles,   \
        .payload = &payload_##_fields, .reply = &reply_##_fields                                   \
    }

const struct fields none_fields = {.name = "none"};
const struct fields binary_fields = {.name = "binary"};

static const struct message_type_info types[] = {
#define MESSAGE_ENTRY(...) MESSAGE_ROW(__VA_ARGS__),
    MESSAGE_LIST(MESSAGE_ENTRY)
#undef MESSAGE_ENTRY
};

const struct message_type_info *message_type_find(uint16_t type)
{
    size_t low = 0;
    size_t high = ARRAY_LEN(types);

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (types[middle].type == type) {
            return &types[middle];
        }
        if (types[middle].type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const char *message_type_name(uint16_t type)
{
    const struct message_type_info *info = message_type_find(type);

    return info != NULL ? info->name : "unknown";
}

const struct message_type_info *message_types(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(types);
    return types;
}
