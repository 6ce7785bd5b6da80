"""National decisions that everybody fully achieved an indicator, whatever was measured."""
