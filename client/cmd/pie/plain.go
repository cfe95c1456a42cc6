package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// plain is an error's text with what the system said of a file, or Go of a command that was
// broken off, in words for the person who gave the command.
func plain(err error) string {
	text := err.Error()
	var about *fs.PathError
	if errors.As(err, &about) {
		text = strings.Replace(text, about.Error(), about.Path+": "+inWords(about.Err), 1)
	}
	var between *os.LinkError
	if errors.As(err, &between) {
		text = strings.Replace(text, between.Error(), between.New+": "+inWords(between.Err), 1)
	}
	text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "it took too long")
	return strings.ReplaceAll(text, context.Canceled.Error(), "it was broken off")
}

func inWords(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file or directory"
	case errors.Is(err, fs.ErrExist):
		return "it exists already, and is not replaced"
	case errors.Is(err, fs.ErrPermission):
		return "you may not do that with it; look at its owner and its permissions"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "there is no room left for it; make some, and try again"
	case errors.Is(err, syscall.EROFS):
		return "it stands on a file system that is read-only"
	case errors.Is(err, syscall.EISDIR):
		return "it is a directory"
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of this path is not a directory"
	}
	return err.Error()
}
