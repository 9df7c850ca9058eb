"""The region's metadata service: what cloud-init's MAAS data source asks for."""
