package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pie-consortium/pie/network/networktest"
)

// diskSize is that of the small disk which fills up, in bytes; it is sparse.
const diskSize = 512 << 20

// filled puts a node's state on a small disk of its own and fills that to the last
// byte. Space and a start bring the node back.
func filled(node string) injectedFault {
	return injectedFault{
		name: "fill the disk of " + node,
		inject: func(context.Context) error {
			dir, err := network.Dir(node)
			if err != nil {
				return err
			}
			if err := errors.Join(network.Stop(node), mountSmall(dir)); err != nil {
				return err
			}
			return errors.Join(network.Start(node), fill(filepath.Join(dir, "state", "ballast")))
		},
		heal: func(context.Context) error {
			dir, err := network.Dir(node)
			if err != nil {
				return err
			}
			if err := errors.Join(network.Stop(node), os.Remove(filepath.Join(dir, "state", "ballast")), unmountSmall(dir)); err != nil {
				return err
			}
			return network.Start(node)
		},
	}
}

// mountSmall moves the folder "state" in dir to a disk in a file beside it.
func mountSmall(dir string) error {
	state, image := filepath.Join(dir, "state"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, diskSize), command("mkfs.ext4", "-q -F -m 0 "+image)); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(state, state+".before"), os.Mkdir(state, 0o700)); err != nil {
		return err
	}
	if err := command("mount", "-o loop "+image+" "+state); err != nil {
		return err
	}
	return errors.Join(command("cp", "-a "+state+".before/. "+state), os.RemoveAll(state+".before"))
}

// unmountSmall moves the folder back.
func unmountSmall(dir string) error {
	state := filepath.Join(dir, "state")
	if err := command("cp", "-a "+state+" "+state+".after"); err != nil {
		return err
	}
	return errors.Join(command("umount", state), os.Remove(state), os.Rename(state+".after", state), os.Remove(filepath.Join(dir, "disk")))
}

// fill writes a file until there is no more space.
func fill(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for block := 1 << 20; block > 0; {
		_, err := file.Write(make([]byte, block))
		if errors.Is(err, syscall.ENOSPC) {
			block /= 2
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unsynced makes every fsync of a node fail. A start brings the node back.
func unsynced(node string) injectedFault {
	var tracer *exec.Cmd
	return injectedFault{
		name: "fail fsync of " + node, lasts: minute(),
		inject: func(ctx context.Context) error {
			pid, err := pidOf(node)
			if err != nil {
				return err
			}
			tracer = exec.Command("strace", "-f", "-o", "/dev/null", "-p", fmt.Sprint(pid),
				"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
			if err := tracer.Start(); err != nil {
				return err
			}
			return eventually(ctx, func(context.Context) error { return traced(pid) })
		},
		heal: func(context.Context) error {
			err := tracer.Process.Signal(os.Interrupt)
			_ = tracer.Wait() // it ends by the signal, or has ended with the node
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
			return errors.Join(network.Stop(node), network.Start(node))
		},
	}
}

// traced is nil once a process has its tracer, or has ended by what that did.
func traced(pid int) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if strings.Contains(string(status), "TracerPid:\t0\n") {
		return fmt.Errorf("process %d is not traced", pid)
	}
	return err
}

func pidOf(name string) (int, error) {
	for _, node := range network.Nodes() {
		if node.Name == name && node.PID > 0 {
			return node.PID, nil
		}
	}
	return 0, fmt.Errorf("%s does not run", name)
}

// damagedBlocks flips a byte in every block of content that a Kubo node keeps, once
// other hospitals have theirs. The operator then starts over with an empty node.
func damagedBlocks(l *load, o networktest.Organization) injectedFault {
	f := wipedContent(l, o)
	heal := f.heal
	f.name = "damage the blocks of " + o.IPFS
	f.inject = func(ctx context.Context) error {
		return l.quiet(func() error {
			if err := eventually(ctx, replicated); err != nil {
				return err
			}
			return damageBlocks(o)
		})
	}
	f.heal = func(ctx context.Context) error {
		return errors.Join(network.Wipe(o.IPFS), heal(ctx))
	}
	return f
}

func damageBlocks(o networktest.Organization) error {
	dir, err := network.Dir(o.IPFS)
	if err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(dir, "state", "blocks"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".data") {
			return err
		}
		return flip(path)
	})
}

// flip inverts a byte in the middle of a file.
func flip(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	one := make([]byte, 1)
	if _, err := file.ReadAt(one, info.Size()/2); err != nil {
		return err
	}
	one[0] ^= 0xff
	_, err = file.WriteAt(one, info.Size()/2)
	return err
}

// damagedLedger flips a byte in a peer's file of blocks while the peer is away, and
// starts it: it may notice or not. The operator then has it fetch everything anew.
func damagedLedger(node string) injectedFault {
	return injectedFault{
		name: "damage the ledger of " + node,
		inject: func(context.Context) error {
			dir, err := network.Dir(node)
			if err != nil {
				return err
			}
			if err := network.Kill(node); err != nil {
				return err
			}
			blocks := filepath.Join(dir, "state", "ledgersData", "chains", "chains", network.Channel, "blockfile_000000")
			if err := flip(blocks); err != nil {
				return err
			}
			_ = network.Start(node) // to refuse to start is the best it can do
			return nil
		},
		heal: func(context.Context) error {
			return errors.Join(network.Wipe(node), network.Rejoin(node))
		},
	}
}
