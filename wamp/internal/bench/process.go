package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// The transports, as the flags and tables name them.
const (
	transportTCP  = "tcp"
	transportUnix = "unix"
	transportWeb  = "ws"
)

// serverFlag makes the program the server of the pair.
const serverFlag = "-server"

// process is the server process.
type process struct {
	cmd       *exec.Cmd
	stdin     io.Closer
	addresses map[string]string
}

// startProcess runs this program again, as the server.
func startProcess() (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, serverFlag)}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	at := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
	if err != nil || len(at) != 3 {
		p.stop()
		return nil, fmt.Errorf("bench: the server process did not start: %q, %w", line, err)
	}
	p.addresses = map[string]string{transportTCP: at[0], transportUnix: at[1], transportWeb: at[2]}
	return p, nil
}

// stop ends the server process.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}
