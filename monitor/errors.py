"""Everything that can go wrong for a reason a person can mend: one leaf a reason, each with one clear sentence."""

from __future__ import annotations


class MonitorError(Exception):
    """The root of our errors: its text is a sentence that says what to do; people see it without a traceback."""


class ReferenceProblem(MonitorError):
    """A file of the configuration folder is missing, cannot be read, or contradicts itself or another one."""


class ListProblem(MonitorError):
    """A screening list cannot be read, or is refused for what has gone from it; the last good one still counts."""


class ProfileProblem(MonitorError):
    """A file of profiles is not as it must be, or names no time; nothing of it was written or sent."""


class SettingsProblem(MonitorError):
    """A setting is unknown, of the wrong type or out of range, or the settings file cannot be read."""


class LimitReached(MonitorError):
    """Too many records of a partition are unreadable; reading stops until a person decides to go past them."""


class StoreProblem(MonitorError):
    """The store cannot be opened, read or written; what was committed before stands."""


class Overtaken(MonitorError):
    """Another process has committed to the same store or partition since; nothing of this commit was written."""


class HitProblem(MonitorError):
    """A hit on a list cannot be cleared or opened again."""


class FlagProblem(MonitorError):
    """There is no such flag, or what was asked of it is not possible in its state."""


class CaseProblem(MonitorError):
    """There is no such case, somebody else was first, what was asked is not possible, or it takes another person."""


class ProposalProblem(MonitorError):
    """What takes two people cannot be proposed or answered: not now, not by this person, or somebody was first."""


class ExportProblem(MonitorError):
    """There is no such export, it is not released, or it takes another person."""


class EvidenceProblem(MonitorError):
    """A folder is no evidence pack, cannot be read, or no pack can be written there."""


class RetentionProblem(MonitorError):
    """What is to be erased is not known, or somebody still looks at it."""


class NoticeProblem(MonitorError):
    """What people are to be told cannot be sent now; it waits in the store and is sent again."""


class CheckpointProblem(MonitorError):
    """A checkpoint of the audit cannot be written or read; the audit itself stands as it is."""


class EstimateProblem(MonitorError):
    """What was asked about cannot be estimated: the catalogue has no rate of it."""


class BacktestProblem(MonitorError):
    """There is nothing to play again, or nothing to compare it with."""


class LetterProblem(MonitorError):
    """There is no such dead letter, or what was asked of it is not possible."""


class UnreadableFact(MonitorError):
    """A fact that was accepted and stored is no canonical event for this version of the program."""


class SourceProblem(MonitorError):
    """A place that records come from cannot be opened or read on; what was read before it counts."""


class PeopleProblem(MonitorError):
    """There is no such account or token, or what was asked of it is not possible."""
