// Package kit drives one processor in a test, with no cluster: <gearpump/testkit.h> in Go.
package kit

/*
#cgo pkg-config: gearpump-testkit
#include <stdlib.h>
#include <gearpump/testkit.h>

static int32_t kit_push(struct gp_kit *kit, uint32_t port, const void *key, uint32_t key_len,
                        const void *value, uint32_t value_len)
{
    struct gp_msg msg = {.size = sizeof msg, .flags = GP_MSG_KEYED, .key = key, .key_len = key_len,
                         .value = value, .value_len = value_len};
    return gp_kit_push_msg(kit, port, &msg);
}
*/
import "C"

import (
	"unsafe"
)

// Kit is one task under test.
type Kit struct{ c *C.struct_gp_kit }

// State is what tasks gave to a snapshot.
type State struct{ c *C.struct_gp_kit_state }

// New makes a task of a table (gearpump.Kind.Table) with these parameters. Free it.
func New(table unsafe.Pointer, parameters map[string]string) Kit {
	k := Kit{C.gp_kit_new((*C.struct_gp_processor)(table), 0, 1)}
	for key, value := range parameters {
		name, text := C.CString(key), C.CString(value)
		C.gp_kit_set(k.c, name, text)
		C.free(unsafe.Pointer(name))
		C.free(unsafe.Pointer(text))
	}
	return k
}

// Free closes what is open.
func (k Kit) Free() { C.gp_kit_free(k.c) }

// Open says whether the task opened.
func (k Kit) Open() bool { return C.gp_kit_open(k.c) == C.GP_OK }

// Push queues a row with a key.
func (k Kit) Push(key string, value []byte) {
	name, bytes := C.CString(key), C.CBytes(value)
	defer C.free(unsafe.Pointer(name))
	defer C.free(bytes)
	C.kit_push(k.c, 0, unsafe.Pointer(name), C.uint32_t(len(key)), bytes, C.uint32_t(len(value)))
}

// Run does all that can be done and says whether that was all.
func (k Kit) Run() bool { return C.gp_kit_run(k.c) == C.GP_OK }

// End ends the inputs and runs.
func (k Kit) End() bool {
	C.gp_kit_end(k.c)
	return k.Run()
}

// Poll calls a source once and gives its answer.
func (k Kit) Poll(budget uint32) int32 { return int32(C.gp_kit_poll(k.c, C.uint32_t(budget))) }

// Sent gives the values that came out.
func (k Kit) Sent() []string {
	var values []string
	for i := C.uint32_t(0); i < C.gp_kit_count(k.c, 0); i++ {
		row := C.gp_kit_row(k.c, 0, i)
		values = append(values, C.GoStringN((*C.char)(row.value), C.int(row.value_len)))
	}
	return values
}

// Rejects counts the rows that were refused.
func (k Kit) Rejects() uint32 { return uint32(C.gp_kit_rejects(k.c)) }

// Failure says why the task failed.
func (k Kit) Failure() string { return C.GoString(C.gp_kit_failure(k.c)) }

// NewState makes an empty one. Free it.
func NewState() State { return State{C.gp_kit_state_new()} }

// Free forgets it.
func (s State) Free() { C.gp_kit_state_free(s.c) }

// Snapshot adds this task's state.
func (k Kit) Snapshot(s State) bool { return C.gp_kit_snapshot(k.c, s.c) == C.GP_OK }

// Restore gives the task all of it.
func (k Kit) Restore(s State) bool {
	return C.gp_kit_restore(k.c, s.c, 0, C.GP_KEY_GROUPS-1, 1) == C.GP_OK
}
