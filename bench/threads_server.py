"""A peer: a thread per client; what one says is sent to every other at once, while a lock is held."""

from __future__ import annotations

import socket
import sys
import threading

clients: set[socket.socket] = set()
lock = threading.Lock()


def serve(client: socket.socket) -> None:
    client.sendall(b"+")
    with lock:
        clients.add(client)
    try:
        while data := client.recv(4096):
            with lock:
                for other in clients:
                    if other is not client:
                        other.sendall(data)
    except OSError:
        pass
    finally:
        with lock:
            clients.discard(client)
        client.close()


def main(port: int) -> None:
    threading.stack_size(256 * 1024)
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listening:
        while True:
            client, _ = listening.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
