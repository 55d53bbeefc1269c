"""Access tokens: sources, strength, and the file of a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendall.cli.tokens import fresh_token, keep_token, read_token, token_from
from sendall.errors import UsageError

STRONG = "correct horse battery staple"


def secret_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_nearest_source_wins(tmp_path: Path) -> None:
    """A token of the command line wins over SENDALL_TOKEN, and that over a file named elsewhere."""
    file = secret_file(tmp_path, "f" * 20)
    env = {"SENDALL_TOKEN": "e" * 20}
    assert token_from("g" * 20, None, env, file) == b"g" * 20
    assert token_from(None, file, env) == b"f" * 20
    assert token_from(None, None, env, file) == b"e" * 20
    assert token_from(None, None, {}, file) == b"f" * 20
    assert token_from(None, None, {}) is None


def test_a_token_on_the_command_line_works_and_warns(capsys: pytest.CaptureFixture[str]) -> None:
    """Other users can see arguments; the person is told of the better ways."""
    assert token_from(STRONG, None, {}) == STRONG.encode()
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ")
    assert "--token-file or SENDALL_TOKEN" in warning
    assert STRONG not in warning


def test_two_tokens_are_one_too_many(tmp_path: Path) -> None:
    """--token and --token-file together are refused."""
    with pytest.raises(UsageError, match="exclude each other"):
        token_from(STRONG, secret_file(tmp_path, STRONG), {})


def test_white_space_around_a_token_in_a_file_does_not_count(tmp_path: Path) -> None:
    """Editors end files with a line end."""
    assert read_token(secret_file(tmp_path, f"  {STRONG}\n")) == STRONG.encode()


@pytest.mark.parametrize("text", ["", "123456789012345"])
def test_a_weak_token_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    """Fewer than 16 bytes are refused, from a file as from the environment, and the hint makes a strong one."""
    with pytest.raises(UsageError, match="by trying") as error:
        read_token(secret_file(tmp_path, text))
    assert error.value.hint.startswith("sendall serve --token new")
    with pytest.raises(UsageError, match="SENDALL_TOKEN has"):
        token_from(None, None, {"SENDALL_TOKEN": text or "x"})


def test_a_file_that_others_can_read_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The warning names the very command that closes it."""
    file = secret_file(tmp_path, STRONG, 0o644)
    assert read_token(file) == STRONG.encode()
    assert f"chmod 600 {file}" in capsys.readouterr().err


def test_a_missing_token_file_is_told(tmp_path: Path) -> None:
    """A token file that is not there stops the start; it never means "no token"."""
    with pytest.raises(UsageError, match="cannot read the token file"):
        read_token(tmp_path / "none")


def test_a_fresh_token_is_strong_and_private(tmp_path: Path) -> None:
    """A new token has more than 128 random bits, replaces an older one, and only its owner can read it."""
    first, second = fresh_token(), fresh_token()
    assert first != second
    assert len(first) >= 22  # characters of 6 bits
    keep_token(tmp_path, first)
    file = keep_token(tmp_path, second)
    assert file == tmp_path / "token"
    assert read_token(file) == second
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
