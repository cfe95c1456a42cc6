package toolchain

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// How often a count that moves is shown: in place on a terminal, by a line of its own
// in a log.
const (
	inPlaceInterval = 200 * time.Millisecond
	lineInterval    = 10 * time.Second
)

// display shows people how far one build is.
type display struct {
	out     io.Writer
	title   string
	inPlace bool
	shown   time.Time // when a count was shown last
}

func newDisplay(out io.Writer, title string) *display {
	file, ok := out.(*os.File)
	return &display{out: out, title: title, inPlace: ok && term.IsTerminal(int(file.Fd())), shown: time.Now()}
}

// line says something that stays.
func (d *display) line(format string, arguments ...any) {
	d.write(fmt.Sprintf(format, arguments...) + "\n")
}

// passing says something that the next call says better.
func (d *display) passing(format string, arguments ...any) {
	interval, end := lineInterval, "\n"
	if d.inPlace {
		interval, end = inPlaceInterval, ""
	}
	if time.Since(d.shown) < interval {
		return
	}
	d.shown = time.Now()
	d.write(fmt.Sprintf(format, arguments...) + end)
}

func (d *display) write(text string) {
	erase := ""
	if d.inPlace {
		erase = "\r\x1b[K"
	}
	fmt.Fprint(d.out, erase+d.title+": "+text)
}
