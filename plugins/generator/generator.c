/*
 * The generator plugin: messages out of nothing. See README.md.
 */
#include "generator.h"

GP_PLUGIN("generator", "1.0.0", &generator_source)
