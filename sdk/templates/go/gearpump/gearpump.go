// Package gearpump is the plugin ABI of Gearpump in Go.
//
// A processor is a type with the methods of Processor or Source, registered with Register from a
// package's init or variables. Panics do not cross the border: they fail the task. What a call means
// and may do stands in <gearpump/processor.h>. A call into C costs some 50 ns: rows come in batches,
// each message that is sent is such a call.
package gearpump

/*
#cgo pkg-config: gearpump-sdk
#include <stdlib.h>
#include <gearpump/gearpump.h>

const struct gp_processor *gp_go_add(const char *type, int is_source, int is_stateful);

static int32_t go_emit(struct gp_out *out, uint32_t port, int64_t time_ns, int keyed, const void *key,
                       uint32_t key_len, const void *value, uint32_t value_len)
{
    struct gp_msg msg = {.size = sizeof msg, .flags = keyed ? GP_MSG_KEYED : 0, .time_ns = time_ns,
                         .key = key, .key_len = key_len, .value = value, .value_len = value_len};
    return out->emit(out, port, &msg);
}
static int32_t go_watermark(struct gp_out *out, int64_t time_ns) { return out->watermark(out, time_ns); }
static int go_full(const struct gp_out *out) { return gp_out_full(out); }
static const struct gp_row *go_row(const struct gp_batch *in, uint32_t i) { return gp_batch_row(in, i); }
static gp_str go_get(const struct gp_config *config, const char *key) { return config->get(config, key); }
static void go_log(const struct gp_task *task, const char *text, size_t len)
{
    gp_str s = {text, len};
    gp_log(task, GP_LOG_INFO, s);
}
static void go_reason(const struct gp_task *task, const char *text, size_t len)
{
    gp_str s = {text, len};
    task->service->fail(task, s);
}
static int32_t go_put(struct gp_snapshot *to, uint32_t group, const char *name, size_t name_len,
                      const void *bytes, size_t len)
{
    gp_str n = {name, name_len};
    return to->put(to, group, n, gp_bytes_of(bytes, len));
}
static int32_t go_next(struct gp_restore *from, struct gp_entry_view *view) { return from->next(from, view); }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// GroupNone is where state goes that belongs to the task as a whole.
const GroupNone = 0xffffffff

const tablesMax = 16 // as in gearpump.c

var errKnown = errors.New("the host knows why")

// Task is one of the parallel instances of a processor; on its own thread only.
type Task struct{ c *C.struct_gp_task }

// Index is that of this task among the Parallelism of its processor.
func (t Task) Index() uint32 { return uint32(t.c.index) }

// Parallelism of its processor.
func (t Task) Parallelism() uint32 { return uint32(t.c.parallelism) }

// Parameter answers a parameter, or the fallback when it is not set.
func (t Task) Parameter(key, fallback string) string { return parameter(t.c.config, key, fallback) }

// Log writes a line of log.
func (t Task) Log(line string) {
	C.go_log(t.c, (*C.char)(unsafe.Pointer(unsafeBytes(line))), C.size_t(len(line)))
}

func (t Task) reason(text string) {
	C.go_reason(t.c, (*C.char)(unsafe.Pointer(unsafeBytes(text))), C.size_t(len(text)))
}

func parameter(config *C.struct_gp_config, key, fallback string) string {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	value := C.go_get(config, name)
	if value.ptr == nil {
		return fallback
	}
	return C.GoStringN(value.ptr, C.int(value.len))
}

// Row is a message that came. Key and Value are borrowed until the call returns.
type Row struct {
	TimeNs  int64
	KeyHash uint64
	Keyed   bool
	Key     []byte
	Value   []byte
}

// KeyGroup is the slice of the key space where state of a key belongs.
func KeyGroup(keyHash uint64) uint32 { return uint32(keyHash >> 52) }

// Out is where output goes. What is given is copied before the call returns.
type Out struct{ c *C.struct_gp_out }

// Full says: finish the row at hand and return.
func (o Out) Full() bool { return C.go_full(o.c) != 0 }

// Emit sends a message without key to port 0.
func (o Out) Emit(timeNs int64, value []byte) error { return o.EmitTo(0, timeNs, nil, value) }

// EmitKeyed sends a message with a key to port 0.
func (o Out) EmitKeyed(timeNs int64, key, value []byte) error {
	if key == nil {
		key = []byte{}
	}
	return o.EmitTo(0, timeNs, key, value)
}

// EmitTo sends a message to an output port; key nil: without key.
func (o Out) EmitTo(port uint32, timeNs int64, key, value []byte) error {
	keyed := C.int(0)
	if key != nil {
		keyed = 1
	}
	if len(key) > C.GP_KEY_MAX_BYTES || len(value) > C.GP_MESSAGE_MAX_BYTES {
		return errors.New("a message is too large")
	}
	return known(C.go_emit(o.c, C.uint32_t(port), C.int64_t(timeNs), keyed, pointer(key),
		C.uint32_t(len(key)), pointer(value), C.uint32_t(len(value))))
}

// Watermark promises that nothing older will come from here.
func (o Out) Watermark(timeNs int64) error { return known(C.go_watermark(o.c, C.int64_t(timeNs))) }

// Snapshot takes entries of state.
type Snapshot struct{ c *C.struct_gp_snapshot }

// Put adds an entry.
func (s Snapshot) Put(group uint32, name string, bytes []byte) error {
	return known(C.go_put(s.c, C.uint32_t(group), (*C.char)(unsafe.Pointer(unsafeBytes(name))),
		C.size_t(len(name)), pointer(bytes), C.size_t(len(bytes))))
}

// Entry is one of them, as it comes back; Bytes is borrowed until the call returns.
type Entry struct {
	Group uint32
	Name  string
	Bytes []byte
}

// Rejected is what Process returns for a row that is bad: it goes to the dead letters.
type Rejected string

func (r Rejected) Error() string { return string(r) }

// Processor takes rows.
type Processor interface {
	Process(row Row, out Out) error
}

// Ender is a Processor with something to send at the end; more: outputs are full, call again.
type Ender interface {
	OnEnd(out Out) (more bool, err error)
}

// Next is what a source answers.
type Next int32

const (
	More Next = 5 // there is more now
	Idle Next = 6 // nothing now
	End  Next = 7 // nothing ever again
)

// Source makes rows, about budget of them in one call.
type Source interface {
	Poll(out Out, budget uint32) (Next, error)
}

// Stateful is a Processor or Source that gives and takes state.
type Stateful interface {
	Snapshot(s Snapshot) error
	Restore(e Entry) error
}

// Kind is a registered type of processor.
type Kind struct{ c *C.struct_gp_processor }

// Table is for tests: see package kit.
func (k Kind) Table() unsafe.Pointer { return unsafe.Pointer(k.c) }

type instance struct {
	task Task
	impl any
}

var opens []func(Task) (any, error)

// Register makes a type known under a name. T has the methods of Processor or Source.
func Register[T any](name string, open func(Task) (T, error)) Kind {
	var none T
	_, isSource := any(none).(Source)
	_, isStateful := any(none).(Stateful)
	if len(opens) == tablesMax {
		panic(fmt.Sprintf("more than %d types of processors", tablesMax))
	}
	opens = append(opens, func(t Task) (any, error) { return open(t) })
	return Kind{C.gp_go_add(C.CString(name), boolean(isSource), boolean(isStateful))}
}

// ---- the graph ----

// Graph is the job being described. Mistakes are collected and reported together.
type Graph struct{ c *C.struct_gp_build }

// Node is a processor in it.
type Node C.gp_node

var describe func(Graph)

// Build names the function that describes the job.
func Build(build func(Graph)) bool {
	describe = build
	return true
}

// Parameter of the job, or the fallback.
func (g Graph) Parameter(key, fallback string) string { return parameter(g.c.config, key, fallback) }

// Add puts a processor of this object into the graph.
func (g Graph) Add(name string, kind Kind, parallelism uint32) Node {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return Node(C.gp_add(g.c, text, kind.c, C.uint32_t(parallelism)))
}

// AddPlugin adds a processor of another plugin: AddPlugin("lines", "file", "source", 1).
func (g Graph) AddPlugin(name, plugin, kind string, parallelism uint32) Node {
	texts := [3]*C.char{C.CString(name), C.CString(plugin), C.CString(kind)}
	for _, text := range texts {
		defer C.free(unsafe.Pointer(text))
	}
	return Node(C.gp_add_plugin(g.c, texts[0], texts[1], texts[2], C.uint32_t(parallelism)))
}

// Set gives a processor a parameter.
func (g Graph) Set(node Node, key, value string) {
	k, v := C.CString(key), C.CString(value)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(v))
	C.gp_set(g.c, C.gp_node(node), k, v)
}

// Connect adds an edge; partitioner: hash, shuffle, round_robin, broadcast, forward, local.
func (g Graph) Connect(from, to Node, partitioner string) {
	text := C.CString(partitioner)
	defer C.free(unsafe.Pointer(text))
	C.gp_connect(g.c, C.gp_node(from), C.gp_node(to), text)
}

// Mistake reports one of the job's own, as a missing parameter.
func (g Graph) Mistake(text string) {
	t := C.CString(text)
	defer C.free(unsafe.Pointer(t))
	C.gp_mistake(g.c, t)
}

// ---- from C ----

func known(code C.int32_t) error {
	if code == C.GP_OK {
		return nil
	}
	return errKnown
}

func boolean(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func pointer(bytes []byte) unsafe.Pointer {
	if len(bytes) == 0 {
		return nil
	}
	return unsafe.Pointer(&bytes[0])
}

func unsafeBytes(text string) *byte {
	if text == "" {
		return nil
	}
	return &[]byte(text)[0]
}

func borrowed(ptr unsafe.Pointer, n C.uint32_t) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(ptr), int(n))
}

// answer turns an error or a panic of a call into the code for C.
func answer(t Task, code C.int32_t, err error) C.int32_t {
	var rejected Rejected
	switch {
	case err == nil:
		return code
	case errors.As(err, &rejected):
		t.reason(rejected.Error())
		return C.GP_REJECT
	case !errors.Is(err, errKnown):
		t.reason(err.Error())
	}
	return C.GP_FAIL
}

func caught(t Task, code *C.int32_t) {
	if p := recover(); p != nil {
		t.reason(fmt.Sprintf("panic: %v", p))
		*code = C.GP_FAIL
	}
}

func of(self C.uintptr_t) *instance { return cgo.Handle(self).Value().(*instance) }

//export goReady
func goReady() {}

//export goBuild
func goBuild(b *C.struct_gp_build) (code C.int32_t) {
	g := Graph{b}
	defer func() {
		if p := recover(); p != nil {
			g.Mistake(fmt.Sprintf("panic: %v", p))
			code = C.GP_FAIL
		}
	}()
	if describe == nil {
		g.Mistake("no function was given to gearpump.Build")
		return C.GP_FAIL
	}
	describe(g)
	return C.GP_OK
}

//export goOpen
func goOpen(which C.int, task *C.struct_gp_task, retSelf *C.uintptr_t) (code C.int32_t) {
	t := Task{task}
	defer caught(t, &code)
	impl, err := opens[which](t)
	if err != nil {
		return answer(t, C.GP_OK, err)
	}
	*retSelf = C.uintptr_t(cgo.NewHandle(&instance{t, impl}))
	return C.GP_OK
}

//export goClose
func goClose(self C.uintptr_t) { cgo.Handle(self).Delete() }

//export goProcess
func goProcess(self C.uintptr_t, in *C.struct_gp_batch, consumed *C.uint32_t, out *C.struct_gp_out) (code C.int32_t) {
	i := of(self)
	defer caught(i.task, &code)
	for o := (Out{out}); *consumed < in.count && !o.Full(); *consumed++ {
		r := C.go_row(in, *consumed)
		row := Row{
			TimeNs:  int64(r.time_ns),
			KeyHash: uint64(r.key_hash),
			Keyed:   r.flags&C.GP_ROW_KEYED != 0,
			Key:     borrowed(r.key, r.key_len),
			Value:   borrowed(r.value, r.value_len),
		}
		if err := i.impl.(Processor).Process(row, o); err != nil {
			return answer(i.task, C.GP_OK, err)
		}
	}
	return C.GP_OK
}

//export goPoll
func goPoll(self C.uintptr_t, out *C.struct_gp_out, budget C.uint32_t) (code C.int32_t) {
	i := of(self)
	defer caught(i.task, &code)
	next, err := i.impl.(Source).Poll(Out{out}, uint32(budget))
	return answer(i.task, C.int32_t(next), err)
}

//export goOnEnd
func goOnEnd(self C.uintptr_t, out *C.struct_gp_out) (code C.int32_t) {
	i := of(self)
	defer caught(i.task, &code)
	ender, ok := i.impl.(Ender)
	if !ok {
		return C.GP_OK
	}
	more, err := ender.OnEnd(Out{out})
	if more {
		return answer(i.task, C.GP_YIELD, err)
	}
	return answer(i.task, C.GP_OK, err)
}

//export goSnapshot
func goSnapshot(self C.uintptr_t, to *C.struct_gp_snapshot) (code C.int32_t) {
	i := of(self)
	defer caught(i.task, &code)
	return answer(i.task, C.GP_OK, i.impl.(Stateful).Snapshot(Snapshot{to}))
}

//export goRestore
func goRestore(self C.uintptr_t, from *C.struct_gp_restore) (code C.int32_t) {
	i := of(self)
	defer caught(i.task, &code)
	var view C.struct_gp_entry_view
	view.size = C.sizeof_struct_gp_entry_view
	for {
		n := C.go_next(from, &view)
		if n <= 0 {
			return answer(i.task, C.GP_OK, known(C.int32_t(-n)))
		}
		entry := Entry{
			Group: uint32(view.group),
			Name:  C.GoStringN(view.name.ptr, C.int(view.name.len)),
			Bytes: borrowed(view.bytes.ptr, C.uint32_t(view.bytes.len)),
		}
		if err := i.impl.(Stateful).Restore(entry); err != nil {
			return answer(i.task, C.GP_OK, err)
		}
	}
}
