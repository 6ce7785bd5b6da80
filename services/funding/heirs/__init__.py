"""Who took over from whom: commissioners through time, and what that means for who sees and who decides."""
