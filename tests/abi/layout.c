/*
 * The layout of the ABI, pinned: every public struct and every number that a compiled plugin holds.
 * Compiled as C11 and as C++17; it has no code.
 *
 * A line here changes only with the ABI: fields may be added behind the last one of a struct that
 * begins with its size, and SIZE changes with them; AT and IS change with the major number alone
 * (the minor one before 1.0).
 */
#include <gearpump/gearpump.h>

#define SIZE(type, bytes) GP_STATIC_ASSERT(sizeof(type) == (bytes), #type " has another size")
#define AT(type, field, offset)                                                                    \
    GP_STATIC_ASSERT(offsetof(type, field) == (offset), #type "." #field " has moved")
#define IS(name, value) GP_STATIC_ASSERT((name) == (value), #name " has changed")

GP_STATIC_ASSERT(sizeof(void *) == 8 && sizeof(size_t) == 8, "plugins are 64-bit");

/* types.h */

SIZE(gp_str, 16);
AT(gp_str, ptr, 0);
AT(gp_str, len, 8);

SIZE(gp_bytes, 16);
AT(gp_bytes, ptr, 0);
AT(gp_bytes, len, 8);

/* message.h */

SIZE(struct gp_row, 48);
AT(struct gp_row, time_ns, 0);
AT(struct gp_row, key_hash, 8);
AT(struct gp_row, key, 16);
AT(struct gp_row, value, 24);
AT(struct gp_row, key_len, 32);
AT(struct gp_row, value_len, 36);
AT(struct gp_row, flags, 40);
AT(struct gp_row, source, 44);

SIZE(struct gp_batch, 24);
AT(struct gp_batch, size, 0);
AT(struct gp_batch, count, 4);
AT(struct gp_batch, stride, 8);
AT(struct gp_batch, reserved, 12);
AT(struct gp_batch, rows, 16);

SIZE(struct gp_msg, 48);
AT(struct gp_msg, size, 0);
AT(struct gp_msg, flags, 4);
AT(struct gp_msg, time_ns, 8);
AT(struct gp_msg, key_hash, 16);
AT(struct gp_msg, key, 24);
AT(struct gp_msg, value, 32);
AT(struct gp_msg, key_len, 40);
AT(struct gp_msg, value_len, 44);

SIZE(struct gp_out, 56);
AT(struct gp_out, size, 0);
AT(struct gp_out, full, 4);
AT(struct gp_out, emit, 8);
AT(struct gp_out, reserve, 16);
AT(struct gp_out, commit, 24);
AT(struct gp_out, watermark, 32);
AT(struct gp_out, host, 40);
AT(struct gp_out, emit_row, 48);

/* host.h */

SIZE(struct gp_host, 32);
AT(struct gp_host, size, 0);
AT(struct gp_host, abi_major, 4);
AT(struct gp_host, abi_minor, 8);
AT(struct gp_host, reserved, 12);
AT(struct gp_host, version, 16);
AT(struct gp_host, service, 24);

SIZE(struct gp_config, 24);
AT(struct gp_config, size, 0);
AT(struct gp_config, reserved, 4);
AT(struct gp_config, get, 8);
AT(struct gp_config, host, 16);

SIZE(struct gp_task, 80);
AT(struct gp_task, size, 0);
AT(struct gp_task, index, 4);
AT(struct gp_task, parallelism, 8);
AT(struct gp_task, inputs, 12);
AT(struct gp_task, outputs, 16);
AT(struct gp_task, reserved, 20);
AT(struct gp_task, app_id, 24);
AT(struct gp_task, app_name, 32);
AT(struct gp_task, processor, 40);
AT(struct gp_task, host, 48);
AT(struct gp_task, config, 56);
AT(struct gp_task, service, 64);
AT(struct gp_task, io, 72);

SIZE(struct gp_task_service, 80);
AT(struct gp_task_service, size, 0);
AT(struct gp_task_service, reserved, 4);
AT(struct gp_task_service, log, 8);
AT(struct gp_task_service, fail, 16);
AT(struct gp_task_service, now_ns, 24);
AT(struct gp_task_service, wall_ns, 32);
AT(struct gp_task_service, watermark_ns, 40);
AT(struct gp_task_service, timer_set, 48);
AT(struct gp_task_service, timer_cancel, 56);
AT(struct gp_task_service, send, 64);
AT(struct gp_task_service, count, 72);

SIZE(struct gp_io_service, 32);
AT(struct gp_io_service, size, 0);
AT(struct gp_io_service, reserved, 4);
AT(struct gp_io_service, watch_fd, 8);
AT(struct gp_io_service, waker, 16);
AT(struct gp_io_service, wake, 24);

/* cursor.h: with the row that inlined code writes */

SIZE(struct gp_cursor, 64);
AT(struct gp_cursor, size, 0);
AT(struct gp_cursor, rows, 4);
AT(struct gp_cursor, at, 8);
AT(struct gp_cursor, limit, 16);
AT(struct gp_cursor, head, 24);
AT(struct gp_cursor, port, 32);
AT(struct gp_cursor, reserved, 36);
AT(struct gp_cursor, reserve, 40);
AT(struct gp_cursor, commit, 48);
AT(struct gp_cursor, host, 56);

SIZE(struct gp_cursor_service, 16);
AT(struct gp_cursor_service, size, 0);
AT(struct gp_cursor_service, reserved, 4);
AT(struct gp_cursor_service, of, 8);

IS(GP_CURSOR_HEADER_BYTES, 24);
IS(GP_CURSOR_PAD_SHIFT, 41);

/* state.h */

SIZE(struct gp_snapshot, 24);
AT(struct gp_snapshot, size, 0);
AT(struct gp_snapshot, reserved, 4);
AT(struct gp_snapshot, put, 8);
AT(struct gp_snapshot, host, 16);

SIZE(struct gp_entry_view, 40);
AT(struct gp_entry_view, size, 0);
AT(struct gp_entry_view, group, 4);
AT(struct gp_entry_view, name, 8);
AT(struct gp_entry_view, bytes, 24);

SIZE(struct gp_restore, 24);
AT(struct gp_restore, size, 0);
AT(struct gp_restore, reserved, 4);
AT(struct gp_restore, next, 8);
AT(struct gp_restore, host, 16);

/* processor.h */

SIZE(struct gp_processor, 152);
AT(struct gp_processor, size, 0);
AT(struct gp_processor, kind, 4);
AT(struct gp_processor, type, 8);
AT(struct gp_processor, flags, 16);
AT(struct gp_processor, reserved, 20);
AT(struct gp_processor, open, 24);
AT(struct gp_processor, process, 32);
AT(struct gp_processor, poll, 40);
AT(struct gp_processor, on_watermark, 48);
AT(struct gp_processor, on_timer, 56);
AT(struct gp_processor, on_message, 64);
AT(struct gp_processor, on_end, 72);
AT(struct gp_processor, close, 80);
AT(struct gp_processor, snapshot, 88);
AT(struct gp_processor, restore, 96);
AT(struct gp_processor, prepare, 104);
AT(struct gp_processor, commit, 112);
AT(struct gp_processor, abort, 120);
AT(struct gp_processor, parameters, 128);
AT(struct gp_processor, parameter_count, 136);
AT(struct gp_processor, parameter_stride, 140);
AT(struct gp_processor, on_ready, 144);

SIZE(struct gp_partitioner, 40);
AT(struct gp_partitioner, size, 0);
AT(struct gp_partitioner, kind, 4);
AT(struct gp_partitioner, type, 8);
AT(struct gp_partitioner, open, 16);
AT(struct gp_partitioner, route, 24);
AT(struct gp_partitioner, close, 32);

/* parameter.h */

SIZE(struct gp_parameter, 56);
AT(struct gp_parameter, name, 0);
AT(struct gp_parameter, type, 8);
AT(struct gp_parameter, flags, 12);
AT(struct gp_parameter, fallback, 16);
AT(struct gp_parameter, min, 24);
AT(struct gp_parameter, max, 32);
AT(struct gp_parameter, choices, 40);
AT(struct gp_parameter, help, 48);

IS(GP_PARAMETER_TEXT, 1);
IS(GP_PARAMETER_U64, 2);
IS(GP_PARAMETER_I64, 3);
IS(GP_PARAMETER_F64, 4);
IS(GP_PARAMETER_BOOL, 5);
IS(GP_PARAMETER_DURATION, 6);
IS(GP_PARAMETER_BYTES, 7);
IS(GP_PARAMETER_CHOICE, 8);
IS(GP_PARAMETER_REQUIRED, 1);

/* graph.h */

SIZE(struct gp_processor_spec, 40);
AT(struct gp_processor_spec, size, 0);
AT(struct gp_processor_spec, parallelism, 4);
AT(struct gp_processor_spec, name, 8);
AT(struct gp_processor_spec, table, 16);
AT(struct gp_processor_spec, plugin, 24);
AT(struct gp_processor_spec, type, 32);

SIZE(struct gp_edge_spec, 32);
AT(struct gp_edge_spec, size, 0);
AT(struct gp_edge_spec, from, 4);
AT(struct gp_edge_spec, from_port, 8);
AT(struct gp_edge_spec, to, 12);
AT(struct gp_edge_spec, to_port, 16);
AT(struct gp_edge_spec, reserved, 20);
AT(struct gp_edge_spec, partitioner, 24);

SIZE(struct gp_graph_service, 48);
AT(struct gp_graph_service, size, 0);
AT(struct gp_graph_service, reserved, 4);
AT(struct gp_graph_service, add, 8);
AT(struct gp_graph_service, set, 16);
AT(struct gp_graph_service, connect, 24);
AT(struct gp_graph_service, mistake, 32);
AT(struct gp_graph_service, place, 40);

SIZE(struct gp_build, 40);
AT(struct gp_build, size, 0);
AT(struct gp_build, reserved, 4);
AT(struct gp_build, graph, 8);
AT(struct gp_build, service, 16);
AT(struct gp_build, config, 24);
AT(struct gp_build, host, 32);

/* plugin.h */

SIZE(struct gp_entry, 56);
AT(struct gp_entry, size, 0);
AT(struct gp_entry, magic, 4);
AT(struct gp_entry, abi_major, 8);
AT(struct gp_entry, abi_minor, 12);
AT(struct gp_entry, name, 16);
AT(struct gp_entry, version, 24);
AT(struct gp_entry, init, 32);
AT(struct gp_entry, deinit, 40);
AT(struct gp_entry, get_factory, 48);

SIZE(struct gp_app, 16);
AT(struct gp_app, size, 0);
AT(struct gp_app, reserved, 4);
AT(struct gp_app, build, 8);

SIZE(struct gp_catalog, 16);
AT(struct gp_catalog, size, 0);
AT(struct gp_catalog, count, 4);
AT(struct gp_catalog, tables, 8);

SIZE(struct gp_note, 256);
AT(struct gp_note, abi_major, 0);
AT(struct gp_note, abi_minor, 4);
AT(struct gp_note, flags, 8);
AT(struct gp_note, reserved, 12);
AT(struct gp_note, name, 16);
AT(struct gp_note, version, 80);
AT(struct gp_note, services, 112);

SIZE(struct gp_note_section, 280);
AT(struct gp_note_section, owner_size, 0);
AT(struct gp_note_section, desc_size, 4);
AT(struct gp_note_section, type, 8);
AT(struct gp_note_section, owner, 12);
AT(struct gp_note_section, desc, 24);

/* Numbers. */

IS(GP_ABI_MAJOR, 0);
IS(GP_OK, 0);
IS(GP_YIELD, 1);
IS(GP_AGAIN, 2);
IS(GP_REJECT, 3);
IS(GP_FAIL, 4);
IS(GP_MORE, 5);
IS(GP_IDLE, 6);
IS(GP_END, 7);
IS(GP_LOG_DEBUG, 0);
IS(GP_LOG_INFO, 1);
IS(GP_LOG_WARN, 2);
IS(GP_LOG_ERROR, 3);
IS(GP_KEY_MAX_BYTES, 65535);
IS(GP_MESSAGE_MAX_BYTES, 16777216);
IS(GP_NAME_MAX_BYTES, 63);
IS(GP_PARALLELISM_MAX, 65536);
IS(GP_KEY_GROUPS, 4096);
IS(GP_GROUP_NONE, 0xffffffffu);
IS(GP_ROW_KEYED, 1);
IS(GP_ROW_LATE, 2);
IS(GP_MSG_KEYED, 1);
IS(GP_MSG_HASHED, 2);
IS(GP_TIMER_PROCESSING, 0);
IS(GP_TIMER_EVENT, 1);
IS(GP_TIMERS_MAX, 65536);
IS(GP_READABLE, 1);
IS(GP_WRITABLE, 2);
IS(GP_KIND_PROCESSOR, 1);
IS(GP_KIND_PARTITIONER, 2);
IS(GP_PROCESSOR_STATEFUL, 1);
IS(GP_PROCESSOR_BLOCKING, 2);
IS(GP_ENTRY_MAGIC, 827347015);
IS(GP_NOTE_TYPE, 1);
IS(GP_NOTE_APP, 1);
