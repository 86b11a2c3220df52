SET NAMES utf8mb4;
SET time_zone = '+00:00';
CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE shop.customers (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(100) NOT NULL,
  email VARCHAR(190),
  phone VARCHAR(32),
  country CHAR(2) NOT NULL DEFAULT 'NL',
  tier ENUM('free','plus','pro') NOT NULL DEFAULT 'free',
  credit DECIMAL(12,2),
  newsletter TINYINT(1) NOT NULL DEFAULT 0,
  born DATE,
  created_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP(3) NULL
);
CREATE TABLE shop.products (
  sku VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  title VARCHAR(200) NOT NULL,
  description TEXT,
  price DECIMAL(10,2) NOT NULL,
  weight_kg DOUBLE,
  attributes JSON,
  thumbnail VARBINARY(64)
);
CREATE TABLE shop.orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  status ENUM('new','paid','shipped','returned') NOT NULL,
  total DECIMAL(14,2) NOT NULL,
  note TEXT,
  ordered_at DATETIME NOT NULL,
  shipped_on DATE,
  paid_at TIMESTAMP NULL,
  KEY (customer_id)
);
CREATE TABLE shop.order_lines (
  order_id BIGINT UNSIGNED NOT NULL,
  line_no SMALLINT NOT NULL,
  sku VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quantity INT UNSIGNED NOT NULL,
  unit_price DECIMAL(10,2) NOT NULL,
  discount DECIMAL(5,4),
  PRIMARY KEY (order_id, line_no)
);
