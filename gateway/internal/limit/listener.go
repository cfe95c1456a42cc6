package limit

import "net"

// Listener accepts connections while the limit allows another one of the [Network] that they come from,
// and closes others at once.
type Listener struct {
	net.Listener
	Room *Limit
}

// Accept waits for the next connection that has a place; closing it gives the place back.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, ok := l.Room.Enter(Network(connection.RemoteAddr().String()))
		if ok {
			return &placed{connection, leave}, nil
		}
		_ = connection.Close() // nothing was said on it
	}
}

// placed is a connection that has a place.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
