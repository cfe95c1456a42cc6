// Package clock reads a clock that was handed to it.
package clock

import "time"

type contract struct{ Clock func() time.Time }

func (c contract) read() time.Time {
	return c.Clock() // want `only stub.NewContext reads the clock`
}

func stamp(clock func() time.Time, format string) string {
	return clock().Format(format) // want `only stub.NewContext reads the clock`
}

// Handing it on is not a reading; what is declared is looked into where it is declared.
func (c contract) hand() (func() time.Time, time.Time) { return c.Clock, epoch() }

func epoch() time.Time { return time.Unix(0, 0) }
