"""Pay for performance: declared by the network, approved by its commissioner, overridden for all when it must be."""
