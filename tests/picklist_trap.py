"""A module that must not be imported: its body records that it was."""

import picklist_canary

picklist_canary.CALLS.append(("picklist_trap was imported",))


class Thing:
    """A plain class."""
