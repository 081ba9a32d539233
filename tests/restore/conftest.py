from tests.scripted import scripted
from tests.world import quick_rests

__all__ = ["quick_rests", "scripted"]
