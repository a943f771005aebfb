"""A TCP proxy on loopback that a test can cut and mend: a network that fails on demand."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards a port of its own to (host, port)."""

    def __init__(self, host, port):
        self._target = host, port
        self._lock = threading.Lock()
        self._listener, self._open = None, set()
        self.port = 0
        self.accepted = 0
        self.mend()

    def mend(self):
        """Listens again, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self):
        """Ends all connections and refuses new ones."""
        with self._lock:
            listener, self._listener = self._listener, None
            ended, self._open = self._open, set()
        for one in (listener, *ended):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    close = cut

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target, 10)
            except OSError:
                if listener is not self._listener:
                    return
                continue
            with self._lock:
                if listener is not self._listener:
                    near.close()
                    far.close()
                    return
                self.accepted += 1
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source}
        source.close()
