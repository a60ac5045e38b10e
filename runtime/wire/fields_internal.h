/*
 * fields_internal.h: what the files of wire/fields.h share. Nobody else includes it.
 */
#ifndef WIRE_FIELDS_INTERNAL_H
#define WIRE_FIELDS_INTERNAL_H

#include "wire/fields.h"

void *field_at(const struct field *field, void *s);
const void *field_at_const(const struct field *field, const void *s);
uint32_t field_count(const struct field *field, const void *s);
void field_set_count(const struct field *field, void *s, uint32_t count);

/* Exactly, in the largest unit that divides: "1500ms", "16MiB". out_size >= 32. */
void field_print_duration(int64_t ns, char *out, size_t out_size);
void field_print_size(uint64_t bytes, char *out, size_t out_size);

/*
 * Reads one number, flag, name, duration or size into ret, which has the C type of the field's
 * kind; lenient: numbers and flags may be text. False: another kind, or out of bounds.
 */
bool field_decode_scalar(const struct field *field, const struct value *v, bool lenient, void *ret);

/* ---- lists of numbers as text (fields_rows.c) ---- */

/* Appends count structs of the table. GP_ENOMEM, GP_ETOOBIG. */
int fields_rows_print(const struct fields *table, const void *items, uint32_t count,
                      struct buf *out);
/* How many structs there are in it, if it can be read. */
size_t fields_rows_count(gp_str text);
/* Into so many zeroed ones. GP_EPROTO. */
int fields_rows_read(const struct fields *table, gp_str text, void *items);

#endif
