package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pie-consortium/pie/network/internal/process"
)

// logTail is how many lines of its log a failed build quotes.
const logTail = 20

// build is one call of go build, whose progress is shown and whose output is kept.
type build struct {
	folder string   // to build in
	flags  []string // of the go command, for listing and building
	target string   // package, or "tool"
	output string   // file, or folder with a slash at its end
	log    string   // file that takes what the go command says
}

// run builds, and shows on progress how many modules were downloaded and how many
// packages compiled.
func (b build) run(ctx context.Context, progress *display) error {
	log, err := os.Create(b.log)
	if err != nil {
		return err
	}
	defer log.Close()
	started := time.Now()
	progress.line("building; log: %s", b.log)
	if err = b.steps(ctx, log, progress); err != nil {
		progress.line("failed")
		return fmt.Errorf("%w; its log %s ends with:\n%s", err, b.log, process.Tail(b.log, logTail))
	}
	progress.line("built in %s", time.Since(started).Round(time.Second))
	return nil
}

func (b build) steps(ctx context.Context, log io.Writer, progress *display) error {
	downloaded, compiled := 0, 0
	listed, err := b.goCommand(ctx, log, []string{"list", "-deps"}, func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			downloaded++
			progress.passing("%d modules downloaded", downloaded)
		}
	})
	if err != nil {
		return err
	}
	packages := bytes.Count(listed, []byte("\n"))
	_, err = b.goCommand(ctx, log, []string{"build", "-v", "-ldflags", "-s -w " + versionFlag, "-o", b.output}, func(line string) {
		if line != "" && !strings.Contains(line, " ") { // go build -v names a package a line
			compiled++
			progress.passing("%d of %d packages", compiled, packages)
		}
	})
	return err
}

// goCommand runs the go command on the target, hands each line of its standard error to
// the log and to each, and returns its standard output.
func (b build) goCommand(ctx context.Context, log io.Writer, arguments []string, each func(string)) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", append(append(arguments, b.flags...), b.target)...)
	command.Dir = b.folder
	command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=1")
	var output bytes.Buffer
	command.Stdout = &output
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	for lines := bufio.NewReader(stderr); err == nil; {
		var line string
		line, err = lines.ReadString('\n')
		fmt.Fprint(log, line)
		each(strings.TrimSuffix(line, "\n"))
	}
	if err := command.Wait(); err != nil {
		return nil, fmt.Errorf("go %s: %w", arguments[0], err)
	}
	return output.Bytes(), nil
}
