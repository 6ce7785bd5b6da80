"""Posts that existed on 31 March 2019, above which a post counts as additional."""
