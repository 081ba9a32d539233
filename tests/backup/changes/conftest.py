from tests.world import quick_rests

__all__ = ["quick_rests"]
