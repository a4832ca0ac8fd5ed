import pytest

from wonda_widgets import enable_nested_asyncio
from wonda_widgets.notebook import nested_asyncio


@pytest.fixture
def installed(monkeypatch):
    applied = []

    def setup(*, fork, ipykernel, python=(3, 11)):
        class Module:
            def __init__(self, name):
                self.apply = lambda: applied.append(name)

        def version(_name):
            if ipykernel is None:
                raise nested_asyncio.PackageNotFoundError
            return ipykernel

        monkeypatch.setattr(nested_asyncio, "find_spec", lambda _name: fork)
        monkeypatch.setattr(nested_asyncio, "version", version)
        monkeypatch.setattr(nested_asyncio, "import_module", Module)
        monkeypatch.setattr(nested_asyncio.sys, "version_info", python)
        return applied

    return setup


@pytest.mark.parametrize(
    ("where", "taken"),
    [
        ({"fork": True, "ipykernel": "7.4.0"}, "nest_asyncio2"),
        ({"fork": None, "ipykernel": "6.31.0"}, "nest_asyncio"),
        ({"fork": None, "ipykernel": None}, "nest_asyncio"),
    ],
)
def test_safe_package_is_applied(installed, where, taken):
    applied = installed(**where)
    assert enable_nested_asyncio() == taken
    assert applied == [taken]


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"fork": None, "ipykernel": "7.1.0"}, "loses queued cells"),
        ({"fork": None, "ipykernel": "6.31.0", "python": (3, 14)}, "3.14"),
    ],
)
def test_unsafe_environment_is_refused_with_a_reason(installed, where, reason):
    applied = installed(**where)
    with pytest.raises(RuntimeError, match=reason):
        enable_nested_asyncio()
    assert applied == []
