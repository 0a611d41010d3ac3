"""School catchment and consolidation planning for rural counties."""

__version__ = "0.1.0"
