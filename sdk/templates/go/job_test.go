// Drives the processors by themselves, on the testkit: no cluster is needed.
package main

import (
	"encoding/binary"
	"sort"
	"strings"
	"testing"

	"@name@/gearpump"
	"@name@/gearpump/kit"
)

func open(t *testing.T, kind gearpump.Kind, parameters map[string]string) kit.Kit {
	k := kit.New(kind.Table(), parameters)
	t.Cleanup(k.Free)
	if !k.Open() {
		t.Fatal(k.Failure())
	}
	return k
}

func push(k kit.Kit, sensor string, value uint64) {
	k.Push(sensor, binary.LittleEndian.AppendUint64(nil, value))
}

func expect(t *testing.T, k kit.Kit, lines ...string) {
	sent := k.Sent()
	sort.Strings(sent)
	if got, want := strings.Join(sent, "\n"), strings.Join(lines, "\n"); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAverageOfEachSensor(t *testing.T) {
	k := open(t, averageKind, nil)
	push(k, "kitchen", 20)
	push(k, "cellar", 12)
	push(k, "kitchen", 23)
	if !k.End() {
		t.Fatal(k.Failure())
	}
	expect(t, k, "cellar 12.00 (1 readings)", "kitchen 21.50 (2 readings)")
}

func TestAverageSurvives(t *testing.T) {
	state := kit.NewState()
	defer state.Free()
	k := open(t, averageKind, nil)
	push(k, "kitchen", 20)
	if !k.Run() || !k.Snapshot(state) {
		t.Fatal(k.Failure())
	}

	k = open(t, averageKind, nil)
	if !k.Restore(state) {
		t.Fatal(k.Failure())
	}
	push(k, "kitchen", 23)
	k.End()
	expect(t, k, "kitchen 21.50 (2 readings)")
}

func TestJunkIsRejected(t *testing.T) {
	k := open(t, averageKind, nil)
	k.Push("kitchen", []byte("warm"))
	if !k.Run() || k.Rejects() != 1 {
		t.Fatal("not rejected")
	}
}

func TestReadingsEnd(t *testing.T) {
	k := open(t, readingsKind, map[string]string{"count": "10"})
	if k.Poll(6) != int32(gearpump.More) || k.Poll(6) != int32(gearpump.End) || len(k.Sent()) != 10 {
		t.Fatal("not ten readings")
	}
}

func TestBadParameterIsNamed(t *testing.T) {
	k := kit.New(readingsKind.Table(), map[string]string{"count": "many"})
	defer k.Free()
	if k.Open() || k.Failure() != "parameter count is no number" {
		t.Fatal(k.Failure())
	}
}
