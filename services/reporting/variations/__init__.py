"""Which networks stand under which local variation, wholly or in part."""
