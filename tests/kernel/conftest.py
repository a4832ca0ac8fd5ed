"""A real kernel, controlled over the Jupyter protocol like a front end does."""

from __future__ import annotations

import queue
import time
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel


class Kernel:
    """A kernel and what it has said so far."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client
        self.said: list[dict[str, Any]] = []

    def send(self, code: str) -> str:
        """Queue a cell; gives its message id."""
        return self.client.execute(code)

    def run(self, code: str, seconds: float = 60) -> str:
        """Run a cell to its end; gives what it printed."""
        return self.finish(self.send(code), seconds)

    def finish(self, message_id: str, seconds: float = 60) -> str:
        """Wait for a cell's end; gives what it printed. An error in it is raised."""
        deadline = time.monotonic() + seconds
        while True:
            mine = [m for m in self.said if m["parent_header"].get("msg_id") == message_id]
            if any(
                m["msg_type"] == "status" and m["content"]["execution_state"] == "idle"
                for m in mine
            ):
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"the cell did not end within {seconds} s")
            self.listen(0.2)
        for message in mine:
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(message["content"]["traceback"]))
        streams = [m["content"]["text"] for m in mine if m["msg_type"] == "stream"]
        return "".join(streams)

    def listen(self, seconds: float) -> None:
        """Take in what the kernel says within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self.said.append(self.client.get_iopub_msg(timeout=left))
            except queue.Empty:
                return

    def click(self, comm_id: str, subshell: str | None = None, **content: Any) -> None:
        """Send a panel a message, as its view does."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)

    def subshell(self) -> str:
        """Open a subshell, as JupyterLab does for widget messages."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def interrupt(self) -> None:
        """Press the kernel's stop button."""
        self.manager.interrupt_kernel()


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()
