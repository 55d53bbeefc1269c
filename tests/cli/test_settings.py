"""Every setting, from every source, by one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sendall.config import Limits, ServerSettings, Setting, load_server_settings, server_settings
from sendall.errors import UsageError

SETTINGS = server_settings()
BY_NAME = pytest.mark.parametrize("setting", SETTINGS, ids=[each.name for each in SETTINGS])

CAN_BE_WRONG = [
    each for each in SETTINGS if isinstance(each.default, int | float) or each.name in ("sync", "trust_proxy")
]
"""The settings for which not every text will do."""


def sample(setting: Setting) -> tuple[str, object]:
    """Return a text as people write it and the value it stands for; never the default."""
    match setting.default:
        case int() as number:
            return str(number + 7), number + 7
        case float() as number:
            return f"{number + 0.5}", number + 0.5
        case ():
            return "10.0.0.0/8, 192.168.0.0/16", ("10.0.0.0/8", "192.168.0.0/16")
        case "commit":
            return "os", "os"
        case None:
            return "/etc/sendall/x", Path("/etc/sendall/x")
        case default:
            assert setting.name == "host", f"no sample for {setting.name} = {default!r}"
            return "0.0.0.0", "0.0.0.0"


def value_in(settings: ServerSettings, setting: Setting) -> object:
    where: object = settings
    for name in setting.path:
        where = getattr(where, name)
    return where


def partner(setting: Setting) -> dict[str, str]:
    """Return what must be given beside a setting."""
    return {"cert": {"key": "/k"}, "key": {"cert": "/c"}}.get(setting.name, {})


def as_toml(setting: Setting, value: object) -> str:
    shown = str(value) if isinstance(value, int | float) else f'"{value}"'
    if isinstance(value, tuple):
        shown = "[" + ", ".join(f'"{each}"' for each in value) + "]"
    more = "".join(f'{name} = "{text}"\n' for name, text in partner(setting).items())
    return f"[{setting.table}]\n{more}{setting.path[-1]} = {shown}\n"


def write_toml(folder: Path, text: str) -> Path:
    file = folder / "sendall.toml"
    file.write_text(text)
    return file


@BY_NAME
def test_a_setting_can_be_a_flag(setting: Setting) -> None:
    """Each setting is taken as the text of a flag."""
    text, value = sample(setting)
    settings = load_server_settings({setting.name: text, **partner(setting)}, {}, None)
    assert value_in(settings, setting) == value


@BY_NAME
def test_a_setting_can_be_a_variable(setting: Setting) -> None:
    """Each setting is taken from SENDALL_ and its name."""
    text, value = sample(setting)
    env = {f"SENDALL_{name.upper()}": each for name, each in partner(setting).items()}
    assert value_in(load_server_settings({}, env | {setting.variable: text}, None), setting) == value


@BY_NAME
def test_a_setting_can_stand_in_the_file(setting: Setting, tmp_path: Path) -> None:
    """Each setting is taken from its table of the TOML file."""
    _, value = sample(setting)
    file = write_toml(tmp_path, as_toml(setting, value))
    assert value_in(load_server_settings({}, {}, file), setting) == value


@pytest.mark.parametrize("setting", CAN_BE_WRONG, ids=[each.name for each in CAN_BE_WRONG])
def test_a_wrong_value_is_told_with_its_place_and_the_remedy(setting: Setting, tmp_path: Path) -> None:
    """A value that cannot be is an error that names flag, variable or line, what was expected, what to correct."""
    with pytest.raises(UsageError, match=f"^{setting.flag}: expected .+, not '?wrong") as flag:
        load_server_settings({setting.name: "wrong"}, {}, None)
    assert flag.value.hint.startswith(f"correct {setting.flag}")
    with pytest.raises(UsageError, match=f"^{setting.variable}: expected "):
        load_server_settings({}, {setting.variable: "wrong"}, None)
    file = write_toml(tmp_path, f'\n[{setting.table}]\n{setting.path[-1]} = "wrong"\n')
    with pytest.raises(UsageError, match=rf"sendall\.toml, line 3, {setting.path[-1]}: expected "):
        load_server_settings({}, {}, file)


@BY_NAME
def test_every_setting_explains_itself(setting: Setting) -> None:
    """Each field has a docstring, which is its help text, and its type says what it expects."""
    assert setting.help
    assert not setting.help.startswith(" ")
    assert setting.expected


def test_flags_win_over_variables_and_these_over_the_file(tmp_path: Path) -> None:
    """Later sources win, field by field."""
    file = write_toml(tmp_path, "[server]\nport = 1\nretention_days = 1\ndata_gib = 1\n")
    env = {"SENDALL_PORT": "2", "SENDALL_RETENTION_DAYS": "2"}
    settings = load_server_settings({"port": "3"}, env, file)
    assert (settings.port, settings.retention_days, settings.data_gib) == (3, 2.0, 1.0)
    assert settings.limits == Limits()


def test_nothing_given_means_the_defaults() -> None:
    """Without any source, and with flags that were not given and empty variables, the defaults hold."""
    assert load_server_settings({"port": None}, {"SENDALL_PORT": "", "SENDALL_SERVICE_HOST": "10.0.0.1"}, None) == (
        ServerSettings()
    )


def test_a_path_in_the_file_starts_at_the_file(tmp_path: Path) -> None:
    """A path in the TOML file that is not absolute is looked for beside the file, wherever the server starts."""
    file = write_toml(tmp_path, '[server]\ntoken_file = "token"\n')
    assert load_server_settings({}, {}, file).token_file == tmp_path / "token"


def test_a_path_may_begin_with_the_home_folder() -> None:
    """`~` is the home folder in every source."""
    assert load_server_settings({"data": "~/rooms"}, {}, None).data == Path.home() / "rooms"


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("[server]\nprot = 1", "line 2: server.prot is no setting", "did you mean server.port?"),
        ("\nzebra = 1", "line 2: zebra is no setting", "[server] and [server.limits]"),
        ("[server.limits]\n\nmember_rat = 1", "line 3: server.limits.member_rat", "server.limits.member_rate?"),
        ("[server", "is no TOML", "correct the line"),
        ("[server]\nport = true", "line 2, port: expected a whole number", "line 2, port (default 12345)"),
        ("[server]\nport = 1.5", "line 2, port: expected a whole number", "line 2"),
        ("[server.limits]\nping_s = nan", "line 2, ping_s: expected a number above 0", "line 2"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, sentence: str, hint: str) -> None:
    """Unknown names, wrong types and broken TOML name the line and the remedy."""
    with pytest.raises(UsageError) as error:
        load_server_settings({}, {}, write_toml(tmp_path, text))
    assert sentence in str(error.value)
    assert hint in error.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A named file that cannot be read is an error, not a silent default."""
    with pytest.raises(UsageError, match="No such file"):
        load_server_settings({}, {}, tmp_path / "none.toml")


@pytest.mark.parametrize("given", ["cert", "key"])
def test_a_certificate_and_its_key_belong_together(given: str) -> None:
    """One of them alone is refused."""
    with pytest.raises(UsageError, match="certificate"):
        load_server_settings({given: "/x.pem"}, {}, None)
