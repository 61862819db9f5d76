"""Our objects in the CRM's database: numbered migrations and their runner."""
