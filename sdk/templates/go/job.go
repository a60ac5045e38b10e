// @name@: readings of sensors -> average of each sensor -> the log.
//
// Parameters: count, the readings to send (100000). Tasks can move to other workers while the job
// runs, for they give away their state (Snapshot) and take it back (Restore).
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"@name@/gearpump"
)

const sensors = 8

// A source: how many readings to send, and how many were, where a restored task goes on.
type readings struct {
	count uint64
	sent  uint64
}

func openReadings(t gearpump.Task) (*readings, error) {
	count, err := strconv.ParseUint(t.Parameter("count", "100000"), 10, 64)
	if err != nil {
		return nil, errors.New("parameter count is no number")
	}
	return &readings{count: count}, nil
}

func (r *readings) Poll(out gearpump.Out, budget uint32) (gearpump.Next, error) {
	var value [8]byte
	for ; budget > 0 && r.sent < r.count && !out.Full(); budget-- {
		sensor := fmt.Sprintf("sensor-%d", r.sent%sensors)
		binary.LittleEndian.PutUint64(value[:], r.sent/sensors%100)
		if err := out.EmitKeyed(int64(r.sent), []byte(sensor), value[:]); err != nil {
			return 0, err
		}
		r.sent++
	}
	if r.sent == r.count {
		return gearpump.End, nil
	}
	return gearpump.More, nil
}

func (r *readings) Snapshot(s gearpump.Snapshot) error {
	return s.Put(gearpump.GroupNone, "sent", binary.LittleEndian.AppendUint64(nil, r.sent))
}

func (r *readings) Restore(e gearpump.Entry) error {
	if len(e.Bytes) != 8 {
		return errors.New("the saved position is damaged")
	}
	r.sent = binary.LittleEndian.Uint64(e.Bytes)
	return nil
}

type sums struct {
	hash  uint64
	count uint64
	sum   int64
}

// Behind a hash edge, so that one task sees all readings of a sensor.
type average struct {
	sensors map[string]*sums
	lines   []string // made at the end
	isOver  bool
}

func openAverage(gearpump.Task) (*average, error) {
	return &average{sensors: map[string]*sums{}}, nil
}

func (a *average) Process(row gearpump.Row, _ gearpump.Out) error {
	if !row.Keyed || len(row.Value) != 8 {
		return gearpump.Rejected("a reading is 8 bytes, with its sensor as the key")
	}
	s := a.sensors[string(row.Key)]
	if s == nil {
		s = &sums{hash: row.KeyHash}
		a.sensors[string(row.Key)] = s
	}
	s.count++
	s.sum += int64(binary.LittleEndian.Uint64(row.Value))
	return nil
}

func (a *average) OnEnd(out gearpump.Out) (more bool, err error) {
	if !a.isOver {
		for name, s := range a.sensors {
			mean := float64(s.sum) / float64(s.count)
			a.lines = append(a.lines, fmt.Sprintf("%s %.2f (%d readings)", name, mean, s.count))
		}
		a.isOver = true
	}
	for ; len(a.lines) > 0; a.lines = a.lines[1:] {
		if out.Full() {
			return true, nil
		}
		if err := out.Emit(0, []byte(a.lines[0])); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (a *average) Snapshot(to gearpump.Snapshot) error {
	for name, s := range a.sensors {
		var bytes [24]byte
		binary.LittleEndian.PutUint64(bytes[0:], s.hash)
		binary.LittleEndian.PutUint64(bytes[8:], s.count)
		binary.LittleEndian.PutUint64(bytes[16:], uint64(s.sum))
		if err := to.Put(gearpump.KeyGroup(s.hash), name, bytes[:]); err != nil {
			return err
		}
	}
	return nil
}

func (a *average) Restore(e gearpump.Entry) error {
	if len(e.Bytes) != 24 {
		return errors.New("a saved sensor is damaged")
	}
	a.sensors[e.Name] = &sums{
		hash:  binary.LittleEndian.Uint64(e.Bytes[0:]),
		count: binary.LittleEndian.Uint64(e.Bytes[8:]),
		sum:   int64(binary.LittleEndian.Uint64(e.Bytes[16:])),
	}
	return nil
}

type report struct{ task gearpump.Task }

func openReport(t gearpump.Task) (*report, error) { return &report{t}, nil }

func (r *report) Process(row gearpump.Row, _ gearpump.Out) error {
	r.task.Log(string(row.Value))
	return nil
}

var (
	readingsKind = gearpump.Register("readings", openReadings)
	averageKind  = gearpump.Register("average", openAverage)
	reportKind   = gearpump.Register("report", openReport)
	_            = gearpump.Build(build)
)

func build(g gearpump.Graph) {
	from := g.Add("readings", readingsKind, 1)
	averages := g.Add("average", averageKind, 2)
	to := g.Add("report", reportKind, 1)

	g.Set(from, "count", g.Parameter("count", "100000"))
	g.Connect(from, averages, "hash")
	g.Connect(averages, to, "shuffle")
}
