package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/pie-consortium/pie/ledger/trust"
)

// passphrase reads the file that was named, or asks on the terminal. It is never an
// argument or an environment value: others could see those.
func (a *app) passphrase() (string, error) {
	if a.passphraseFile == "" {
		return a.askPassphrase("Passphrase: ")
	}
	text, err := trust.ReadSecretFile(a.passphraseFile)
	if err != nil {
		return "", fmt.Errorf("passphrase: %w", err)
	}
	if len(bytes.TrimRight(text, "\r\n")) == 0 {
		return "", fmt.Errorf("passphrase: %s is empty", a.passphraseFile)
	}
	return string(text), nil
}

// newPassphrase is passphrase for keys yet to be made: typed twice.
func (a *app) newPassphrase() (string, error) {
	if a.passphraseFile != "" {
		return a.passphrase()
	}
	first, err := a.askPassphrase("New passphrase: ")
	if err != nil {
		return "", err
	}
	second, err := a.askPassphrase("Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passphrases differ")
	}
	return first, nil
}

func (a *app) askPassphrase(prompt string) (string, error) {
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		return "", errors.New("the keys are under a passphrase and there is no terminal to ask on; use --passphrase-file")
	}
	_, _ = fmt.Fprint(a.err, prompt)
	text, err := a.readPassword(terminal)
	_, _ = fmt.Fprintln(a.err)
	if err != nil {
		return "", err
	}
	if len(text) == 0 {
		return "", errors.New("the passphrase is empty")
	}
	return string(text), nil
}

// readPassword leaves a terminal that shows what is typed, also when it is interrupted.
func (a *app) readPassword(terminal int) ([]byte, error) {
	state, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type reading struct {
		text []byte
		err  error
	}
	read := make(chan reading, 1)
	go func() {
		text, err := term.ReadPassword(terminal)
		read <- reading{text, err}
	}()
	select {
	case r := <-read:
		return r.text, r.err
	case <-a.interrupted:
		return nil, errors.Join(errInterrupted, term.Restore(terminal, state))
	}
}
