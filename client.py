"""`python3 client.py`: the same as `sendall join`, from a checkout in which nothing is installed."""

from server import start

if __name__ == "__main__":
    start("join")
