/* A plugin with one thing wrong, chosen by WRONG_FIELD and WRONG_VALUE. */
#include <gearpump/gearpump.h>

static const void *get_factory(const char *id)
{
    (void)id;
    return NULL;
}

const struct gp_entry gp_entry = {
    .size = WRONG_SIZE,
    .magic = WRONG_MAGIC,
    .abi_major = WRONG_MAJOR,
    .abi_minor = WRONG_MINOR,
    .name = "wrong",
    .version = "1.0.0",
    .get_factory = get_factory,
};
