"""What every stage of compression cost: measured, compared, rendered, held to budgets."""
