"""What happens in a deployment, counted: for `/metrics`, for dashboards, and for whoever runs it at night."""
