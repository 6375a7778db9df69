# SPDX-License-Identifier: Apache-2.0
"""Full TLS handshakes with 127.0.0.1:PORT at RATE a second, until SIGTERM; then prints how many
were done and how many failed. No session is offered again. Usage: handshaker.py PORT RATE CA"""

import signal
import socket
import ssl
import sys
import threading
import time

THREADS = 4
stop = threading.Event()
done, failed = [0] * THREADS, [0] * THREADS


def work(i, port, pause_s, context):
    due = time.monotonic() + pause_s * i / THREADS
    while not stop.wait(max(0.0, due - time.monotonic())):
        due = max(due + pause_s, time.monotonic() - 1)  # what was missed for long is not made up
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
                context.wrap_socket(plain, server_hostname="localhost").close()
            done[i] += 1
        except OSError:
            failed[i] += 1


def main():
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    context = ssl.create_default_context(cafile=sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = [threading.Thread(target=work, args=(i, port, THREADS / rate, context))
               for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(done), sum(failed))


if __name__ == "__main__":
    main()
